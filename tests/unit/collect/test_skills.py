from pathlib import Path

import pytest
from prefloop.collect import share_out
from prefloop.collect.queues.versions import VersionName, version_name
from prefloop.collect.settings import CollectSettings
from pydantic import ValidationError


def settings(**skills):
    return CollectSettings.model_validate(
        {"items": "items.jsonl", "guidelines": "all.md", "queue": "replies", "skills": skills}
    )


def test_each_item_goes_to_the_first_skill_that_asks_for_it(make_item):
    items = [make_item(a=f"a {n}", tags=tags) for n, tags in enumerate([("b",), (), ("a", "b"), ("x", "a"), ("c",)])]
    shares = share_out(settings(a={}, second={"tag": "b"}), items)
    assert [(share.skill, share.items) for share in shares.rows] == [
        (None, (items[1], items[4])),
        ("a", (items[2], items[3])),
        ("second", (items[0],)),
    ]
    assert shares.several == (items[2].id,)


def test_a_queue_has_what_its_skill_says_and_the_recipes_own_for_the_rest():
    whole = settings(code={"guidelines": "code.md", "annotators": ["ann"]}, safety={"workspace": "safe"})
    main, code, safety = share_out(whole).rows
    assert [share.settings.queue for share in (main, code, safety)] == ["replies", "replies.code", "replies.safety"]
    assert [str(share.settings.guidelines) for share in (main, code, safety)] == ["all.md", "code.md", "all.md"]
    assert [share.settings.workspace for share in (main, code, safety)] == ["prefloop", "prefloop", "safe"]
    assert (main.annotators, code.annotators) == ((), ("ann",))
    assert all(share.settings.skills == {} for share in (main, code, safety))


def test_a_queue_without_items_is_not_made_but_there_is_always_one(make_item):
    item = make_item(tags=("code",))
    assert [share.skill for share in share_out(settings(code={}), [item]).used] == ["code"]
    assert [share.skill for share in share_out(settings(code={}), []).used] == [None]
    assert [share.skill for share in share_out(settings(), [item]).used] == [None]


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        ({"v2": {}}, "would be taken for a version"),
        ({"a": {"tag": "x"}, "b": {"tag": "x"}}, "two skills ask for the tag 'x'"),
        ({"a b": {}}, "should match pattern"),
        ({"a": {"workspace": "no blanks"}}, "should match pattern"),
    ],
)
def test_skills_that_could_not_be_queues_are_refused(skills, said):
    with pytest.raises(ValidationError, match=said):
        settings(**skills)


@pytest.mark.parametrize(
    ("dataset", "parts"),
    [
        ("replies", VersionName("replies")),
        ("replies.v2", VersionName("replies", 2)),
        ("replies.v12.unfinished", VersionName("replies", 12, False)),
        ("replies.unfinished", VersionName("replies", 1, False)),
        ("replies.code.v3", VersionName("replies.code", 3)),
        ("v2", VersionName("v2")),
    ],
)
def test_a_datasets_name_says_which_version_of_which_queue_it_is(dataset, parts):
    assert version_name(dataset) == parts
    assert parts.dataset == dataset


def test_guidelines_of_a_skill_are_beside_the_recipe(tmp_path):
    from prefloop.recipe import load_recipe

    (tmp_path / "recipe.yaml").write_text(
        "name: t\ntask: A task in a sentence.\n"
        "collect: {items: i.jsonl, guidelines: g.md, queue: q, skills: {code: {guidelines: code.md}}}\n"
    )
    assert load_recipe(tmp_path / "recipe.yaml").collect.skills["code"].guidelines == tmp_path / "code.md"
    assert isinstance(load_recipe(tmp_path / "recipe.yaml").collect.guidelines, Path)

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import prefloop
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import (
    Item,
    Message,
    Origin,
    PreferencePair,
    open_seal,
    read_items,
    read_openings,
    read_sealed,
    refuse_sealed,
    seal,
    split_pairs,
)
from prefloop.collect.sealing.similar import NEAR, jaccard, shingles
from prefloop.errors import Problems, UserError
from prefloop.runs import read_lines

AUTHOR = Origin("person", "author")
DEMO_DRAW = "983a08c1446d281d40be86699d95a586dcfa48c38eee7ee78be547fd02591f56"
"""Of the demonstration's 48 sealed prompt ids, sorted, one a line: its published numbers were measured on them."""


def pair(item, kind="vote"):
    return PreferencePair(item.prompt, item.response_a, item.response_b, 1.0, item.id, ("v",), kind)


def question(n):
    """One of many questions that have no two neighbouring words in common."""
    return " ".join(f"{word}{n}" for word in ("where", "is", "parcel", "number", "today", "please", "help", "me"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sealed.json"


def test_whole_prompts_are_sealed_and_a_second_call_changes_nothing(make_item, path, tmp_path):
    items = [make_item(prompt=f"p{n // 2}", a=f"a{n}") for n in range(40)]
    sealed = seal(items, 0.25, 0, path)
    assert len(sealed.prompt_ids) == 5
    written = path.read_bytes()
    assert seal(items[:4], 0.9, 7, path) == sealed == read_sealed(path)
    assert path.read_bytes() == written
    assert seal(list(reversed(items)), 0.25, 0, tmp_path / "again.json") == sealed
    assert (tmp_path / "again.json").read_bytes() == written
    assert seal(items, 0.25, 1, tmp_path / "other.json").prompt_ids != sealed.prompt_ids


def test_the_demonstrations_draw_is_the_one_its_numbers_were_measured_on(path):
    items = read_items(Path(prefloop.__path__[0]) / "recipes/demo/items.jsonl")
    sealed = seal(items, 0.3, 1, path)
    assert len(sealed.prompt_ids) == 48
    assert hashlib.sha256("\n".join(sorted(sealed.prompt_ids)).encode()).hexdigest() == DEMO_DRAW


def test_near_duplicates_fall_on_one_side(make_item, path):
    items = [make_item(prompt=text) for n in range(30) for text in (question(n), question(n).upper() + "!?")]
    sealed = seal(items, 0.3, 0, path)
    assert len(sealed.prompt_ids) == 18
    for one, two in zip(items[::2], items[1::2], strict=True):
        assert sealed.side(one) == sealed.side(two)


def test_later_prompts_go_where_they_belong_and_the_share_holds(make_item, path):
    first = [make_item(prompt=question(n)) for n in range(20)]
    sealed = seal(first, 0.25, 0, path)
    alike = [make_item(prompt=f"{question(n)} thanks") for n in range(20)]
    fresh = [make_item(prompt=question(n)) for n in range(20, 40)]
    later = seal([*alike, *fresh], 0.25, 0, path)
    assert [later.side(item) for item in first] == [sealed.side(item) for item in first]
    assert [later.side(item) for item in alike] == [sealed.side(item) for item in first]
    assert sum(later.holds(item) for item in fresh) == 5
    assert seal([*reversed(fresh), *alike, *first], 0.25, 0, path) == later


def test_the_share_holds_over_pushes_of_one_prompt_each(make_item, path):
    for n in range(20):
        sealed = seal([make_item(prompt=question(n))], 0.25, 0, path)
        assert abs(len(sealed.prompt_ids) - 0.25 * (n + 1)) < 1
    assert len(sealed.prompt_ids) == 5


def test_a_later_stage_of_a_conversation_goes_where_its_beginning_is(make_item, path):
    first = [make_item(prompt=question(n)) for n in range(4)]
    sealed = seal(first, 0.5, 0, path)
    later = [replace(item, prompt=(*item.prompt, Message("assistant", "Yes?"), Message("user", "x"))) for item in first]
    after = seal(later, 0.5, 0, path)
    assert [after.side(item) for item in later] == [sealed.side(item) for item in first]


def test_a_bridge_stands_on_no_side_and_binds_nobody(make_item, path):
    start = [f"a{n}" for n in range(20)]
    near_one, bridge, near_two = (" ".join(start[: 20 - n] + [f"z{k}" for k in range(n)]) for n in (0, 2, 4))
    sealed = seal([make_item(prompt=near_one), make_item(prompt=near_two)], 0.5, 0, path)
    assert len(sealed.prompt_ids) == 1
    between = make_item(prompt=bridge)
    after = seal([between], 0.5, 0, path)
    assert after.side(between) == "neither"
    assert after.prompt_ids == sealed.prompt_ids
    assert split_pairs([pair(between)], after) == ([], [])
    with pytest.raises(Problems, match=f"near sealed and training prompts .prompt {between.prompt_id}"):
        refuse_sealed([pair(between)], after)


@settings(deadline=None, max_examples=60)
@given(
    pushes=st.lists(
        st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9).map(" ".join), max_size=6), max_size=4
    ),
    fraction=st.floats(0, 0.9),
    shuffled=st.randoms(),
)
def test_whatever_is_pushed_no_two_prompts_alike_stand_on_both_sides(pushes, fraction, shuffled):
    def item(text):
        return Item((Message("user", text),), "a", "b", AUTHOR, AUTHOR)

    with TemporaryDirectory() as folder:
        path, mirrored = Path(folder) / "one.json", Path(folder) / "two.json"
        before: dict[str, str] = {}
        for texts in [[], *pushes]:
            sealed = seal([item(text) for text in texts], fraction, 0, path)
            seal([item(text) for text in shuffled.sample(texts, len(texts))], fraction, 0, mirrored)
            assert path.read_bytes() == mirrored.read_bytes()
            sides = {prompt_id: placed.side for prompt_id, placed in sealed.prompts.items()}
            assert before.items() <= sides.items()
            before = sides
            one, other = (
                [shingles(sealed.prompts[prompt_id].texts[0]) for prompt_id in sealed.of(side)]
                for side in ("sealed", "training")
            )
            # A hair above the threshold, where MinHash may miss one in a thousand.
            assert [(a, b) for a in one for b in other if jaccard(a, b) >= NEAR + 0.05] == []


def test_a_killed_push_seals_the_same_when_it_goes_on(make_item, path, monkeypatch):
    items = [make_item(prompt=question(n)) for n in range(12)]
    whole = seal(items, 0.25, 0, path.with_name("whole.json"))

    def die(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", die)
        with pytest.raises(KeyboardInterrupt):
            seal(items, 0.25, 0, path)
    assert not path.exists()
    assert seal(items, 0.25, 0, path) == whole


def test_prompts_that_are_all_alike_are_pointed_out(make_item, path, caplog):
    seal([make_item(prompt=f"{question(0)} {n}") for n in range(4)], 0.5, 0, path)
    assert "4 of 4 prompts are near-duplicates of each other" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row["prompts"].popitem(),
        lambda row: row["prompts"][next(iter(row["prompts"]))].update(side="training"),
        lambda row: row.pop("sha256"),
        lambda row: row.update(seed=3),
    ],
)
def test_a_sealed_set_that_somebody_changed_is_not_believed(make_item, path, damage):
    seal([make_item(prompt=question(n)) for n in range(4)], 0.9, 0, path)
    row = json.loads(path.read_text())
    damage(row)
    path.write_text(json.dumps(row))
    with pytest.raises(UserError, match="is not as prefloop wrote it"):
        read_sealed(path)


def test_no_sealed_prompt_reaches_training(make_item, path):
    items = [make_item(prompt=f"p{n}") for n in range(20)]
    sealed = seal(items, 0.3, 0, path)
    pairs = [pair(item, kind) for item in items for kind in ("vote", "edit_over_rejected")]
    training, held_out = split_pairs(pairs, sealed)
    assert len(training) == 28
    assert len(held_out) == 6
    assert {row.prompt_id for row in training}.isdisjoint(sealed.prompt_ids)
    assert all(row.sealed for row in held_out)
    refuse_sealed(training, sealed)
    with pytest.raises(Problems, match="1 pairs must not be trained on") as refused:
        refuse_sealed([*training, held_out[0]], sealed)
    assert held_out[0].id in str(refused.value)


def test_every_refused_pair_is_named(make_item, path):
    items = [make_item(prompt=question(n)) for n in range(60)]
    sealed = seal(items, 0.5, 0, path)
    leaked = [pair(item) for item in items if sealed.holds(item)]
    with pytest.raises(Problems, match="30 pairs must not") as refused:
        refuse_sealed(leaked, sealed)
    assert [row.id for row in leaked if row.id not in str(refused.value)] == []


def test_openings_are_counted_and_logged(make_item, path):
    seal([make_item()], 0.5, 0, path)
    assert read_openings(path) == []
    assert [open_seal(path, reason) for reason in ("first", "first", "second", "first")] == [1, 1, 2, 3]
    assert [row["reason"] for row in read_openings(path)] == ["first", "second", "first"]
    assert read_lines(path.with_name("openings.jsonl")) == read_openings(path)

"""Suggestions through a real Argilla: shown to a share, on the side people see, known again when votes come back."""

import json

import pytest
import yaml
from prefloop.collect import Argilla, Item, Message, Origin, Vote, ensure_annotators, find_queue, write_rows
from prefloop.collect.sampling.scores import add_scores
from prefloop.errors import UserError
from prefloop.loop import pull_votes, push_items, replay_votes
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run

ORIGIN = Origin("person", "author")
ITEMS = [Item((Message("user", f"Prompt {n}"),), f"a {n}", f"b {n}", ORIGIN, ORIGIN) for n in range(40)]


@pytest.fixture
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "guidelines.md").write_text("Choose the better answer.")
    write_rows(tmp_path / "items.jsonl", ITEMS)
    # Two people who always choose what is suggested where they see it, else B.
    write_rows(tmp_path / "votes.jsonl", [Vote(item.id, name, "B", "A") for item in ITEMS for name in ("ann", "bo")])
    collect = {"items": "items.jsonl", "guidelines": "guidelines.md", "votes": "votes.jsonl", "queue": "suggested"}
    suggestions = {"scorer": "judge:test", "share": 0.5}
    tree = {"name": "s", "task": "Answers prompts well.", "collect": collect | {"suggestions": suggestions}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return load_recipe(tmp_path / "recipe.yaml")


def test_a_share_sees_the_suggestion_and_its_effect_is_told(owner, recipe, tmp_path):
    run = open_run(tmp_path / "run", resolved(recipe))
    with pytest.raises(UserError, match=r"judge:test.*scored nothing"):
        push_items(run, recipe, owner)
    scored = ITEMS[:30]
    p_a = {item.id: (0.9 if n % 3 else 0.5) for n, item in enumerate(scored)}
    add_scores(run.folder / "collect" / "scores.jsonl", "judge:test", p_a)
    push_items(run, recipe, owner)

    queue = find_queue(owner, recipe.collect)
    rows = owner.call("GET", f"/datasets/{queue.id}/records", query={"limit": 100, "include": "suggestions"})["items"]
    shown = {row["external_id"]: row for row in rows if row["suggestions"]}
    lots = json.loads((run.folder / "collect" / "suggestions.json").read_text())
    assert shown.keys() == {item_id for item_id, lot in lots.items() if lot["shown"]}
    assert shown.keys() <= {item.id for item in scored}
    assert 5 <= len(shown) <= 25
    for item in ITEMS:
        if item.id in shown:
            [suggestion] = shown[item.id]["suggestions"]
            # Whatever side A is on here, the suggested option is the one that shows A.
            place = {"first": "answer_1", "second": "answer_2"}.get(suggestion["value"])
            assert (place and shown[item.id]["fields"][place]) == (item.response_a if p_a[item.id] > 0.5 else None)
            assert (suggestion["agent"], suggestion["score"]) == ("judge:test", p_a[item.id])

    # Scores that come later change nothing for what people see already.
    add_scores(run.folder / "collect" / "scores.jsonl", "judge:test", {item.id: 0.1 for item in ITEMS})
    assert push_items(run, recipe, owner).added == 0
    assert json.loads((run.folder / "collect" / "suggestions.json").read_text()) == lots

    ensure_annotators(owner, queue, ["ann", "bo"])
    replay_votes(run, recipe, owner)
    votes = pull_votes(run, recipe, owner).pulled.votes
    assert {vote.item_id for vote in votes if vote.suggestion_seen} == shown.keys()
    effect = json.loads((run.folder / "collect" / "summary.json").read_text())["suggestion_effect"]
    assert (effect["shown"], effect["hidden"]) == (2 * len(shown), 2 * (30 - len(shown)))
    assert effect["agreed_shown"] == effect["agreed_hidden"] == effect["difference"] == 0

"""Disputed items shown once more in a queue of their own: one answer there overrules the votes, and both are kept."""

import json

import httpx
import pytest
import yaml
from prefloop.collect import Argilla, Item, Message, Origin, Vote, find_queue, read_pairs, replay, write_rows
from prefloop.collect.queues.questions import CRITERION
from prefloop.errors import UserError
from prefloop.loop import adjudicate, pull_votes, push_items, replay_votes
from prefloop.loop.folder import side_key
from prefloop.loop.judging import adjudication_settings
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run

PEOPLE = ("ann", "bo", "cy")
ROWS = ("AAA", "AAB", "ABB", "BBB")


@pytest.fixture
def labelled(argilla, tmp_path, request):
    """A run whose four items have three votes each; two items are disputed."""
    writer = Origin("person", "author")
    items = [Item((Message("user", f"Question {n}"),), f"a {n}", f"b {n}", writer, writer) for n in range(len(ROWS))]
    votes = [
        Vote(item.id, who, choice, "A", critique=f"because {who} says so")
        for item, row in zip(items, ROWS, strict=True)
        for who, choice in zip(PEOPLE, row, strict=True)
    ]
    write_rows(tmp_path / "items.jsonl", items)
    write_rows(tmp_path / "votes.jsonl", votes)
    (tmp_path / "guidelines.md").write_text("Choose the better answer.")
    collect = {
        "items": "items.jsonl",
        "votes": "votes.jsonl",
        "guidelines": "guidelines.md",
        "queue": request.node.name[:60].replace("_", "-"),
    }
    tree = {"name": "disputed", "task": "Answers to questions.", "collect": collect | {"sealed_fraction": 0.0}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    recipe = load_recipe(tmp_path / "recipe.yaml")
    run = open_run(tmp_path / "run", resolved(recipe))
    with Argilla(argilla.url, argilla.api_key) as owner:
        push_items(run, recipe, owner)
        replay_votes(run, recipe, owner)
        pull_votes(run, recipe, owner)
        yield run, recipe, owner, items


def summary(run):
    return json.loads((run.folder / "collect" / "summary.json").read_text())


def chosen(run):
    return {pair.item_id: pair for pair in read_pairs(run.folder / "collect" / "pairs.jsonl")}


def test_an_adjudicators_answer_overrules_the_votes_and_both_are_kept(labelled):
    run, recipe, owner, items = labelled
    assert chosen(run)[items[1].id].chosen == "a 1"
    assert adjudicate(run, recipe, owner, top=1).added == 1
    assert adjudicate(run, recipe, owner, top=5).added == 1  # the next one; nothing else is disputed
    queue = find_queue(owner, adjudication_settings(recipe.collect))
    assert queue.name == f"{recipe.collect.queue}.adjudication"

    # Until somebody answers, nothing changes.
    pull_votes(run, recipe, owner)
    assert summary(run)["adjudicated"] == []
    replay(owner, queue, [Vote(items[1].id, "judge", "B", "A")], side_key(run))
    pull_votes(run, recipe, owner)
    (row,) = summary(run)["adjudicated"]
    assert (row["item_id"], row["before"], row["after"]) == (items[1].id, "A", "B")
    assert len(row["overruled"]) == 3
    pair = chosen(run)[items[1].id]
    assert (pair.chosen, pair.weight, list(pair.vote_ids)) == ("b 1", 1.0, row["decided_by"])
    votes = (run.folder / "collect" / "votes.jsonl").read_text()
    assert all(vote_id in votes for vote_id in row["overruled"])
    # Pulling again gives the same bytes, and what is settled is not disputed any more.
    before = (run.folder / "collect" / "pairs.jsonl").read_bytes()
    pull_votes(run, recipe, owner, full=True)
    assert (run.folder / "collect" / "pairs.jsonl").read_bytes() == before


def test_the_adjudicator_sees_no_hint_of_the_votes(labelled, argilla):
    run, recipe, owner, _ = labelled
    adjudicate(run, recipe, owner, top=5)
    queue = find_queue(owner, adjudication_settings(recipe.collect))
    address = f"{owner.url}/api/v1/datasets/{queue.id}/records"
    headers = {"X-Argilla-Api-Key": argilla.api_key}
    text = httpx.get(address, headers=headers, params={"include": ["responses", "suggestions"]}).text
    assert "Question 1" in text
    assert not any(word in text for word in ("because", *PEOPLE, CRITERION))


def test_where_nothing_is_disputed_it_says_so(labelled):
    run, recipe, owner, items = labelled
    adjudicate(run, recipe, owner, top=5)
    queue = find_queue(owner, adjudication_settings(recipe.collect))
    replay(owner, queue, [Vote(item.id, "judge", "A", "A") for item in items[1:3]], side_key(run))
    pull_votes(run, recipe, owner)
    with pytest.raises(UserError, match="no item is disputed"):
        adjudicate(run, recipe, owner, top=5)

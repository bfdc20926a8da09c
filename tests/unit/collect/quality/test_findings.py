import gzip
import json
import os
from pathlib import Path

import pytest
from prefloop.collect import Item, Message, Origin, Vote, read_items, read_votes
from prefloop.collect.quality.evidence import gather
from prefloop.collect.quality.findings import find

DEMO = Path(__file__).parents[4] / "recipes" / "demo"
KINDS = {"spammer": "disagrees", "left-clicker": "side", "length-lover": "length", "drifter": "drift"}


def named(items, votes, gold=None):
    found = find(gather(items, votes, gold or {}), None, by_hand=True)
    return {(row.annotator, row.kind) for row in found if row.annotator}


def test_each_known_habit_is_named_for_what_it_is_and_nobody_else_is(simulate, honest):
    found = named(*simulate(honest | {kind: kind for kind in KINDS}))
    assert {(kind, finding) for kind, finding in KINDS.items()} <= found
    assert ("spammer", "haste") in found
    assert {who for who, _ in found} == set(KINDS)


@pytest.mark.parametrize("kind", ["spammer", "left-clicker", "length-lover"])
def test_two_honest_people_suffice_to_name_a_third(simulate, kind):
    found = named(*simulate({"h1": "honest", "h2": "honest", "x": kind}))
    assert ("x", KINDS[kind]) in found
    assert {who for who, _ in found} == {"x"}


def test_honest_annotators_are_hardly_ever_named(simulate, honest):
    # By design fewer than one report in twenty names anybody; three of 16 would then come once in 23 runs.
    reports = [named(*simulate(honest, 80, seed, per_prompt=2)) for seed in range(16)]
    assert sum(bool(report) for report in reports) <= 2


def test_nothing_is_said_of_somebody_with_few_votes(simulate, honest):
    items, votes = simulate(honest | {"new": "left-clicker"})
    few = [vote for vote in votes if vote.annotator != "new" or int(vote.id.split("-")[0]) < 19]
    assert "new" not in {who for who, _ in named(items, few)}


def test_an_item_set_whose_longer_answer_is_better_accuses_nobody_of_loving_length(simulate, honest):
    items, votes = simulate(honest)
    longer = {item.id: "A" if len(item.response_a) > len(item.response_b) else "B" for item in items}
    agreed = [
        Vote(v.item_id, v.annotator, longer[v.item_id], v.left, id=v.id, inserted_at=v.inserted_at) for v in votes
    ]
    assert named(items, agreed) == set()


def test_votes_without_sides_or_times_are_judged_by_what_they_have(simulate, honest):
    items, votes = simulate(honest | {"bad": "spammer"})
    bare = [Vote(vote.item_id, vote.annotator, vote.choice, None, id=vote.id) for vote in votes]
    assert named(items, bare) == {("bad", "disagrees")}


def test_failing_gold_items_is_named(simulate, honest):
    items, votes = simulate(honest | {"bad": "spammer"}, 120)
    first = {vote.item_id: vote.choice for vote in votes if vote.annotator == "honest-0"}
    assert ("bad", "gold") in named(items, votes, {item.id: first[item.id] for item in items[:60]})


def test_the_personas_of_the_demonstration_are_not_named():
    assert named(read_items(DEMO / "items.jsonl"), read_votes(DEMO / "votes.jsonl")) == set()


def test_the_real_annotators_of_pandalm_are_not_named():
    data = os.environ.get("PREFLOOP_TEST_DATA")
    if not data:
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    rows = json.loads(gzip.decompress((Path(data) / "preferences" / "pandalm_testset_v1.json.gz").read_bytes()))
    items, votes = [], []
    for row in rows:
        origins = [Origin("dataset", "pandalm", row=f"{row['idx']}-{side}") for side in "12"]
        texts = str(row["response1"]), str(row["response2"])
        item = Item((Message("user", f"{row['instruction']}\n\n{row['input']}"),), *texts, *origins)
        items.append(item)
        for who in ("annotator1", "annotator2", "annotator3"):
            votes.append(Vote(item.id, who, ("tie", "A", "B")[row[who]], None, id=f"{row['idx']}-{who}"))
    assert len(votes) == 2997
    assert named(items, votes) == set()

"""Rankings, ties, adjudications and weighed votes are added up again from data.json, which holds no text."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from prefloop.collect import Candidate, Item, Message, Origin, PairSettings, Sealed, Vote, make_pairs, pairwise
from prefloop.publish.lineage import Lineage
from prefloop.publish.manifest import manifest
from prefloop.publish.trace.pair import walk_pairs
from prefloop.publish.trace.told import Manifest
from prefloop.publish.trace.votes import add_up

WRITER = Origin("model", "org/writer", "c0ffee", sampling={"temperature": 0.8})
PLACE = Origin("model", "/srv/ada/models/mine + adapter 12ab", "beef")


def item(number: int, *more: str) -> Item:
    prompt = (Message("user", f"question {number}"),)
    rest = tuple(Candidate(text, WRITER) for text in more)
    return Item(prompt, f"good {number}", f"bad {number}", WRITER, PLACE, more=rest)


def vote(on: Item, who: str, choice: Any, **more: Any) -> Vote:
    return Vote(on.id, who, choice, "A", id=f"{on.id}-{who}", protocol="p", **more)


RANKED, PLAIN, TIED, DISPUTED = item(0, "third", "fourth"), item(1), item(2), item(3)
VOTES = [
    vote(RANKED, "x", "A", ranking=(1, 3, 2, 2), order="ABCD", edit="better still"),
    vote(RANKED, "y", "A", ranking=(1, 2, 3, 4), order="ABCD"),
    *(vote(PLAIN, who, "B") for who in "xyz"),
    *(vote(TIED, who, "tie") for who in "xy"),
    vote(DISPUTED, "x", "A"),
    vote(DISPUTED, "y", "B"),
]
SETTLED = [vote(DISPUTED, "judge", "B")]


def told(policy: PairSettings, adjudications: Any = SETTLED) -> Manifest:
    items = [RANKED, PLAIN, TIED, DISPUTED]
    compared, votes = pairwise(items, VOTES)
    made = make_pairs(compared, votes, policy, adjudications=pairwise(items, adjudications)[1])
    evidence: Any = SimpleNamespace(
        items=items,
        training=[*made.pairs, *made.ties],
        sealed=[],
        collection={"policy": policy.model_dump(mode="json")},
        adapter=SimpleNamespace(data_sha256="0"),
        report=SimpleNamespace(sealed=SimpleNamespace(sha256="0")),
        lineage=Lineage(VOTES, adjudications, Sealed({}, 0, 0.2), None),
    )
    text = json.dumps(manifest(evidence))
    assert "/srv/ada" not in text
    assert "better still" not in text
    return Manifest.model_validate_json(text)


@pytest.mark.parametrize("aggregate", ["majority", "dawid_skene"])
def test_every_pair_follows_from_its_votes(aggregate: Any) -> None:
    pytest.importorskip("crowdkit") if aggregate != "majority" else None
    walks = walk_pairs(told(PairSettings(aggregate=aggregate)))
    assert [walk.check.what for walk in walks if walk.check.mark != "verified"] == []
    assert {walk.kind for walk in walks} == {"vote", "tie", "edit_over_chosen", "edit_over_rejected"}
    ranked = [walk for walk in walks if walk.shown_item_id == RANKED.id and walk.kind == "vote"]
    assert {(walk.chosen, walk.rejected) for walk in ranked} >= {("A", "B"), ("A", "C"), ("A", "D")}
    assert all(len(walk.votes) == 2 and len(walk.candidates) == 4 for walk in ranked)
    [settled] = [walk for walk in walks if walk.shown_item_id == DISPUTED.id]
    assert settled.named == (SETTLED[0].id,)
    assert [one.adjudication for one in settled.votes] == [False, False, True]


def test_a_ranking_turned_round_is_found() -> None:
    honest = told(PairSettings())
    assert honest.votes is not None
    turned = [
        one.model_copy(update={"ranking": tuple(5 - (rank or 0) for rank in one.ranking)}) if one.ranking else one
        for one in honest.votes
    ]
    walks = walk_pairs(honest.model_copy(update={"votes": tuple(turned)}))
    assert {walk.shown_item_id for walk in walks if walk.check.mark == "wrong"} == {RANKED.id}


def test_an_adjudication_taken_away_is_found() -> None:
    honest = told(PairSettings())
    assert honest.votes is not None
    kept = tuple(one for one in honest.votes if not one.adjudication)
    bad = [walk for walk in walk_pairs(honest.model_copy(update={"votes": kept})) if walk.check.mark == "wrong"]
    assert [walk.shown_item_id for walk in bad] == [DISPUTED.id]


def test_what_can_not_be_added_up_is_not_called_verified() -> None:
    found, why = add_up(told(PairSettings(aggregate="mace")))
    assert found is None
    assert "not added up again" in why
    assert {walk.check.mark for walk in walk_pairs(told(PairSettings(aggregate="mace")))} == {"unchecked"}


def test_a_weight_made_up_is_found() -> None:
    honest = told(PairSettings())
    rows = [row.model_copy(update={"weight": 0.123}) if row.item_id == PLAIN.id else row for row in honest.training]
    bad = [
        walk for walk in walk_pairs(honest.model_copy(update={"training": tuple(rows)})) if walk.check.mark == "wrong"
    ]
    assert [walk.item_id for walk in bad] == [PLAIN.id]
    assert "weighs 0.123" in bad[0].check.what


def test_a_folder_of_the_machine_is_cut_down_and_said_to_be() -> None:
    honest = told(PairSettings())
    assert honest.items is not None
    origins = {origin.name: origin.shortened for one in honest.items for origin in one.origins}
    assert origins == {"org/writer": False, "mine + adapter 12ab": True}

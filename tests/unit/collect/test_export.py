"""What a data set folder holds of rankings and edits, and what it must not."""

import json

import pytest
from prefloop.collect import Item, Message, Origin, Vote, make_pairs, pairwise, seal, split_pairs
from prefloop.collect.data_card import ExportSettings
from prefloop.collect.export import Collection, pseudonym, write_export
from prefloop.collect.item import Candidate

KEY = b"a key for tests"
SETTINGS = ExportSettings("n", "A task.", "cc0-1.0", items=True)


@pytest.fixture
def collection(tmp_path):
    """Three candidates each, ranked by two people; half of the prompts sealed."""
    words = ["parcel", "invoice", "kettle", "garden", "window", "bicycle", "lantern", "violin"]
    origins = [Origin("model", name, sampling={"temperature": 0.5}) for name in ("one", "two", "three")]
    items = [
        Item((Message("user", f"{word} {word}s or no {word}?"),), f"{word} a", f"{word} b", *origins[:2], ("t",),
             (Candidate(f"{word} c", origins[2]),))
        for word in words
    ]  # fmt: skip
    votes = [
        Vote(item.id, who, "B", "A", ranking=(2, 1, 3), order="ABC", id=f"{who}-{item.id}",
             edit="a better one" if who == "ann" else None)
        for item in items for who in ("ann", "bo")
    ]  # fmt: skip
    sealed = seal(items, 0.5, 0, tmp_path / "sealed.json")
    compared, said = pairwise(items, votes)
    training, held_out = split_pairs(make_pairs(compared, said).pairs, sealed)
    assert held_out
    return Collection(items, votes, training, sealed, {"sealed_pairs": len(held_out)}, None)


def rows(folder, part):
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().split("\n") if line]


def test_pairs_of_a_ranking_name_who_wrote_either_side_and_the_rankings_behind_them(tmp_path, collection):
    exported = write_export(tmp_path / "data", collection, SETTINGS, KEY)
    pairs, votes = rows(exported.folder, "pairs"), {row["id"]: row for row in rows(exported.folder, "votes")}
    orders = {(row["origin_chosen"]["name"], row["origin_rejected"]["name"]) for row in pairs if row["kind"] == "vote"}
    assert orders == {("two", "one"), ("two", "three"), ("one", "three")}
    assert {row["origin_chosen"]["name"] for row in pairs if row["kind"] != "vote"} == {pseudonym("ann", KEY)}
    assert all(votes[name.partition("#")[0]]["ranking"] == [2, 1, 3] for row in pairs for name in row["vote_ids"])
    assert [len(row["candidates"]) for row in rows(exported.folder, "items")] == [3] * 4
    assert json.loads(pairs[0]["origin_rejected"]["sampling"]) == {"temperature": 0.5}


def test_parts_that_were_not_asked_for_are_not_there(tmp_path, collection):
    exported = write_export(tmp_path / "data", collection, ExportSettings("n", "t", "mit", votes=False), KEY)
    assert {path.name for path in exported.folder.iterdir()} == {"pairs.jsonl", "README.md", "lineage.json"}
    assert "`votes`" not in (exported.folder / "README.md").read_text()


def test_other_keys_give_other_pseudonyms(tmp_path):
    assert pseudonym("ann", KEY) == pseudonym("ann", KEY) != pseudonym("ann", b"another")
    assert "ann" not in pseudonym("ann", KEY).removeprefix("annotator-")

"""Ties from the pull to the training's door, with the demonstration's own votes."""

import json
from dataclasses import replace
from importlib.resources import as_file, files

import pytest
from prefloop.collect import read_items, read_pairs, read_sealed, read_votes, write_rows
from prefloop.collect.data_card import ExportSettings
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes, export_run
from prefloop.loop.decontaminating import training_pairs, training_rows, training_ties
from prefloop.loop.training import measured_settings
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json


def load(tmp_path, *overrides):
    """The demonstration's recipe, every fifth vote a tie so that some items are."""
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        recipe = load_recipe(path, list(overrides))
    votes = read_votes(recipe.collect.votes)
    tied = set(sorted({vote.item_id for vote in votes})[::5])
    changed = [replace(vote, choice="tie", edit=None) if vote.item_id in tied else vote for vote in votes]
    write_rows(tmp_path / "votes.jsonl", changed)
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"votes": tmp_path / "votes.jsonl"})})


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ties")
    recipe = load(folder)
    run = open_run(folder / "run", resolved(recipe))
    adopt_votes(run, recipe)
    return run, recipe, folder


def with_ties(folder, *more):
    return load(folder, "train.votes.ties=davidson", *more)


def test_a_pull_writes_training_ties_and_counts_the_others(adopted):
    run, _, _ = adopted
    rows, sealed = read_pairs(run.folder / "collect/ties.jsonl"), read_sealed(run.folder / "collect/sealed.json")
    items = {item.id: item for item in read_items(run.folder / "collect/items.jsonl")}
    assert rows
    assert {row.kind for row in rows} == {"tie"}
    assert not any(sealed.holds(items[row.item_id]) for row in rows)
    summary = read_json(run.folder / "collect/summary.json")
    assert summary["ties"]["training"] == len(rows)
    assert summary["ties"]["sealed or near"] > 0
    left_out = sum(map(len, summary["ties"]["left_out"].values()))
    assert len(rows) + summary["ties"]["sealed or near"] + left_out == summary["outcomes"]["tie"]


def test_ties_reach_a_training_only_where_its_loss_knows_them(adopted):
    run, recipe, folder = adopted
    pairs = training_pairs(run, recipe)
    assert training_rows(run, recipe) == pairs
    assert training_rows(run, with_ties(folder)) == [*pairs, *training_ties(run, recipe)]


def test_ties_are_exported_as_no_preference_and_measured_on_as_no_win(adopted, tmp_path):
    run, _, folder = adopted
    settings = ExportSettings("first replies", "Drafts the first reply.", "cc-by-4.0", ("en",))
    exported = export_run(run, with_ties(folder), tmp_path / "data", settings)
    rows = [json.loads(line) for line in (exported.folder / "pairs.jsonl").read_text().splitlines()]
    tied = {row.item_id for row in read_pairs(run.folder / "collect/ties.jsonl")}
    assert not tied & {row["item_id"] for row in rows}
    assert {pair.kind for pair in read_pairs(run.folder / "collect/sealed_pairs.jsonl")} == {"vote"}


@pytest.mark.parametrize("name", ["pairs.jsonl", "ties.jsonl"])
def test_rows_in_the_wrong_file_are_refused(adopted, tmp_path, name):
    import shutil

    run, _, folder = adopted
    shutil.copytree(run.folder, tmp_path / "run")
    other = open_run(tmp_path / "run", resolved(load(folder)))
    collected = other.folder / "collect"
    everything = [*read_pairs(collected / "pairs.jsonl"), *read_pairs(collected / "ties.jsonl")]
    write_rows(collected / name, everything)
    with pytest.raises(UserError, match=f"{name} has .* among the"):
        training_rows(other, with_ties(folder))


def test_a_sealed_tie_put_there_by_hand_is_refused(adopted, tmp_path):
    import shutil

    run, recipe, folder = adopted
    shutil.copytree(run.folder, tmp_path / "run")
    other = open_run(tmp_path / "run", resolved(recipe))
    collected = other.folder / "collect"
    sealed = read_pairs(collected / "sealed_pairs.jsonl")[0]
    write_rows(collected / "ties.jsonl", [*read_pairs(collected / "ties.jsonl"), replace(sealed, kind="tie")])
    with pytest.raises(Problems, match=sealed.id):
        training_rows(other, with_ties(folder))
    (collected / "ties.jsonl").unlink()
    with pytest.raises(UserError, match="`prefloop collect pull` writes it"):
        training_rows(other, with_ties(folder))


def test_disagreement_is_measured_on_votes_that_may_be_trained_on(adopted):
    run, recipe, folder = adopted
    pairs = training_pairs(run, recipe)
    assert measured_settings(run, recipe, pairs) is recipe.train
    soft = load(folder, "train.votes.targets=soft")
    prior = measured_settings(run, soft, pairs).votes.prior
    assert 0 < prior < 5
    smoothed = load(folder, "train.votes.targets=smoothed")
    assert 0 < measured_settings(run, smoothed, pairs).label_smoothing < 0.5
    # Sealed votes are not looked at: turn them all around, and nothing changes.
    path, sealed = run.folder / "collect/votes.jsonl", read_sealed(run.folder / "collect/sealed.json")
    held = {item.id for item in read_items(run.folder / "collect/items.jsonl") if sealed.holds(item)}
    votes, before = read_votes(path), path.read_bytes()
    turned = [
        replace(vote, choice="B") if vote.item_id in held and place % 2 else vote for place, vote in enumerate(votes)
    ]
    assert turned != votes
    try:
        write_rows(path, turned)
        assert measured_settings(run, soft, pairs).votes.prior == prior
    finally:
        path.write_bytes(before)

"""Recorded votes become pairs without any Argilla; other people's data come in through the command line."""

import json
from collections import Counter
from importlib.resources import as_file, files

import pytest
from prefloop.collect import make_pairs, read_items, read_pairs, read_sealed, read_votes, write_rows
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json


@pytest.fixture
def recipe():
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        return load_recipe(path)


@pytest.fixture
def run(tmp_path, recipe):
    return open_run(tmp_path / "run", resolved(recipe))


def with_votes(recipe, path):
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"votes": path})})


def test_adopted_votes_give_the_pairs_that_they_support_with_prompts_sealed_first(run, recipe):
    adopted = adopt_votes(run, recipe)
    folder = run.folder / "collect"
    items, votes, sealed = (
        read_items(recipe.collect.items),
        read_votes(recipe.collect.votes),
        read_sealed(folder / "sealed.json"),
    )
    made = make_pairs(items, votes, recipe.collect.pairs).pairs
    training = read_pairs(folder / "pairs.jsonl")
    assert {pair.id for pair in training} == {pair.id for pair in made if not sealed.holds(pair)}
    assert {pair.id for pair in adopted.sealed} <= {pair.id for pair in made if sealed.holds(pair)}
    assert len(adopted.sealed) > 10
    assert adopted.pairs.outcomes == dict(Counter(adopted.pairs.outcomes))
    kept = read_votes(folder / "votes.jsonl")
    assert len(kept) == len(votes)
    # Recorded without ids, each vote got its place in the file: no pair is without the votes behind it.
    ids = {vote.id for vote in kept}
    assert len(ids) == len(votes)
    assert all(pair.vote_ids and set(pair.vote_ids) <= ids for pair in training)
    summary = read_json(folder / "summary.json")
    assert (summary["training_pairs"], summary["foreign"]) == (len(training), [])
    assert run.costs.keys() == {"push", "pull"}


def test_adopting_twice_gives_the_same_files(run, recipe):
    def written():
        names = ("items", "votes", "pairs", "sealed_pairs")
        return [(run.folder / "collect" / f"{name}.jsonl").read_bytes() for name in names]

    adopt_votes(run, recipe)
    first = written()
    adopt_votes(run, recipe)
    assert written() == first


def test_votes_on_other_items_are_counted_and_left_out(tmp_path, run, recipe):
    votes = read_votes(recipe.collect.votes)
    lines = recipe.collect.votes.read_text().splitlines()
    stray = json.dumps(json.loads(lines[0]) | {"item_id": "0" * 16})
    (tmp_path / "votes.jsonl").write_text("\n".join([*lines, stray]))
    adopted = adopt_votes(run, with_votes(recipe, tmp_path / "votes.jsonl"))
    assert adopted.pulled.foreign == ("0" * 16,)
    assert len(adopted.pulled.votes) == len(votes)


def test_a_second_vote_of_one_person_is_refused_with_its_place(tmp_path, run, recipe):
    votes = read_votes(recipe.collect.votes)[:5]
    write_rows(tmp_path / "votes.jsonl", [*votes, votes[1]])
    with pytest.raises(Problems, match=r"vote 6: .* in vote 2"):
        adopt_votes(run, with_votes(recipe, tmp_path / "votes.jsonl"))
    assert not (run.folder / "collect").exists()


def test_a_run_that_people_label_is_not_overwritten_and_no_votes_is_said(run, recipe):
    with pytest.raises(UserError, match="no recorded votes"):
        adopt_votes(run, with_votes(recipe, None))
    (run.folder / "collect").mkdir()
    (run.folder / "collect" / "push.json").write_text("{}")
    with pytest.raises(UserError, match="pushed to Argilla"):
        adopt_votes(run, recipe)

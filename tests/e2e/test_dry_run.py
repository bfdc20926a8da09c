"""`prefloop train --dry-run`, as a person and as a program read it."""

import json
from dataclasses import replace
from importlib.resources import as_file, files
from types import SimpleNamespace

import pytest
from prefloop.cli import app
from prefloop.collect import read_pairs, write_rows
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run
from typer.testing import CliRunner

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]


@pytest.fixture(scope="module")
def dry(tiny_model, tmp_path_factory):
    """Run `prefloop train --dry-run` on the demonstration's votes and a tiny model."""
    folder = tmp_path_factory.mktemp("dry") / "run"
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        ours = ["--set", f"train.base_model={tiny_model.path}", "--set", "train.batch_size=4"]
        recipe = load_recipe(path, ours[1::2])
        adopt_votes(open_run(folder, resolved(recipe)), recipe)

        def run(*more):
            return CliRunner().invoke(app, ["train", str(path), "--run", str(folder), *ours, "--dry-run", *more])

        yield SimpleNamespace(run=run, folder=folder)


def test_a_person_sees_counts_memory_and_the_first_pair(dry):
    shown = dry.run()
    assert shown.exit_code == 0, shown.output
    for expected in ("left out: sealed", "memory, estimated", "read but not scored", "+ chosen, scored"):
        assert expected in shown.stdout
    assert "<|im_start|>assistant" in shown.stdout


def test_a_program_reads_ids_tokens_bytes_and_with_measure_seconds(dry):
    shown = dry.run("--json", "--measure")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["preflight"]["kept"] == found["preflight"]["pairs"] > 100
    assert all(found["preflight"]["left_out"]["sealed, for the evaluation"])
    assert len(found["preflight"]["findings"]["shared_prompt"]) > 0
    assert {token["fate"] for token in found["preview"]["prompt"]} == {"read"}
    assert found["fit"]["fits"] is True
    assert found["fit"]["memory"]["total"] < found["fit"]["room"]
    measured = found["measured"]
    assert measured["pairs"] == 4
    assert found["projected_seconds"] > measured["seconds"] > 0
    assert measured["peak"] > 0


def test_what_stops_a_training_stops_its_dry_run(dry):
    path = dry.folder / "collect" / "pairs.jsonl"
    pairs = read_pairs(path)
    write_rows(path, [*pairs, same := replace(pairs[0], rejected=pairs[0].chosen)])
    stopped = dry.run()
    write_rows(path, pairs)
    assert isinstance(stopped.exception, Problems)
    assert f"chosen and rejected are the same text ({same.id})" in str(stopped.exception)
    assert "+ chosen, scored" in stopped.stdout  # it still shows what it looked at


def test_measuring_belongs_to_the_dry_run(tmp_path):
    shown = CliRunner().invoke(app, ["train", "recipe.yaml", "--measure"])
    assert isinstance(shown.exception, UserError)

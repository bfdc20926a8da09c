"""Sweeps of real trainings: shared work, the same weights as alone, kills at any moment, several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import prefloop
import pytest
from prefloop.collect import Message, PreferencePair, read_pairs, read_sealed, seal
from prefloop.collect.files import write_rows
from prefloop.errors import UserError
from prefloop.loop import run_sweep
from prefloop.loop.sweep_cells import Job, run_cells
from prefloop.recipe import load_recipe, recipe_run
from prefloop.runs import silent
from prefloop.train import read_adapter, train_dpo
from prefloop.train.sweep import SweepSettings, cells

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

DEMO = Path(prefloop.__path__[0]) / "recipes/demo/recipe.yaml"
QUICK = ("learning_rate=1e-3", "epochs=1", "batch_size=4", "max_length=128", "lora_rank=4", "save_every=1")
BETAS = SweepSettings(over={"train.beta": (0.1, 1.0)}, seeds=1)


@pytest.fixture(scope="module")
def run_of(tiny_model, tmp_path_factory):
    """A recipe of quick trainings, and runs of it that have been pulled."""
    overrides = [f"train.{one}" for one in (*QUICK, f"base_model={tiny_model.path}", "loss_type=[sigmoid]")]
    recipe = load_recipe(DEMO, [*overrides, "train.loss_weights=null"])

    def make(pairs):
        run = recipe_run(recipe, tmp_path_factory.mktemp("runs") / "run")
        seal([], 0.3, 1, run.folder / "collect/sealed.json")
        write_rows(run.folder / "collect/pairs.jsonl", pairs)
        return run

    return recipe, make


@pytest.fixture(scope="module")
def swept(run_of, request):
    recipe, make = run_of
    run = make(request.getfixturevalue("tickets"))
    return run, recipe, run_sweep(run, recipe, BETAS)


@pytest.fixture(scope="module")
def tickets():
    towns = ("Oslo", "Lima", "Bergen", "Quito", "Turin", "Perth", "Delft", "Kyoto", "Porto", "Tunis", "Malmö", "Izmir")
    return [
        PreferencePair(
            (Message("user", f"Is ticket {number} to {town} still to be had?"),),
            f"Yes, a seat to {town} is free.",
            "Look it up yourself" + "!" * (number % 4),
            1.0,
            f"item{number}",
            (f"vote{number}",),
        )
        for number, town in enumerate(towns)
    ]


def cell_files(run, name="cell.json"):
    return {path.parent.name: path for path in sorted(run.folder.glob(f"sweeps/main/cells/*/{name}"))}


def job_of(run, recipe, base, seeds=(0,)):
    pairs = read_pairs(run.folder / "collect/pairs.jsonl")
    settings = [{}, {"beta": 1.0}]
    sealed = read_sealed(run.folder / "collect/sealed.json")
    folder = run.folder / "sweeps/main"
    return Job(folder, base, tuple(pairs[3:]), tuple(pairs[:3]), sealed, 8, tuple(cells(recipe.train, settings, seeds)))


def test_cells_are_trained_on_some_prompts_and_measured_on_the_others(swept, tickets):
    run, _, found = swept
    assert list(cell_files(run)) == ["beta=1.0-seed0", "recipe-seed0"]
    measured = set(found.pair_ids)
    for data in cell_files(run, "data.json").values():
        assert set(json.loads(data.read_text())["ids"]) == {pair.id for pair in tickets} - measured
    assert len(measured) == 3
    assert {setting.name for setting in found.settings} == {"recipe", "beta=1.0"}
    assert found.reference == "recipe"
    assert len(found.tests) == 1
    assert found.winner is None  # one seed tells nothing
    page = (run.folder / "sweeps/main/sweep.html").read_text()
    assert "beta 1.0" in page
    assert json.loads((run.folder / "sweeps/main/sweep.json").read_text())["pair_ids"] == list(found.pair_ids)


def test_a_cell_has_the_weights_that_a_lone_training_has(swept, tickets, tiny_model, tmp_path):
    run, recipe, found = swept
    kept = [pair for pair in tickets if pair.id not in found.pair_ids]
    other = recipe.train.model_copy(update={"beta": 1.0})
    alone = train_dpo(kept, other, base=tiny_model, folder=tmp_path)
    assert alone.sha256 == read_adapter(run.folder / "sweeps/main/cells/beta=1.0-seed0/adapter").sha256


def test_values_and_seeds_are_added_and_what_is_trained_is_kept(swept):
    run, recipe, _ = swept
    before = {name: path.stat().st_mtime_ns for name, path in cell_files(run).items()}
    more = run_sweep(run, recipe, SweepSettings(over={"train.beta": (0.5,)}, seeds=2))
    after = {name: path.stat().st_mtime_ns for name, path in cell_files(run).items()}
    assert len(after) == 6
    assert {name: after[name] for name in before} == before
    assert {one.name: [seed.seed for seed in one.seeds] for one in more.settings} == {
        "recipe": [0, 1], "beta=1.0": [0, 1], "beta=0.5": [0, 1],
    }  # fmt: skip
    with pytest.raises(UserError, match=r"held_out.*--name"):
        run_sweep(run, recipe, SweepSettings(over={"train.beta": (0.5,)}, held_out=0.5))


def test_the_sealed_set_is_opened_only_when_asked_and_the_page_says_so(run_of, tickets):
    recipe, make = run_of
    run = make(tickets[:8])
    write_rows(run.folder / "collect/sealed_pairs.jsonl", tickets[8:])
    found = run_sweep(run, recipe, SweepSettings(over={"train.beta": (0.1,)}, seeds=1), name="last", on="sealed")
    assert set(found.pair_ids) == {pair.id for pair in tickets[8:]}
    assert found.openings == 1
    assert len((run.folder / "collect/openings.jsonl").read_text().splitlines()) == 1
    assert "can no longer" in (run.folder / "sweeps/last/sweep.html").read_text()


def test_a_training_that_fails_is_told_and_the_others_go_on(run_of, tickets):
    recipe, make = run_of
    run = make(tickets)
    # A prompt that does not fit leaves a training with nothing.
    found = run_sweep(run, recipe, SweepSettings(over={"train.max_length": (16, 128)}, seeds=1))
    assert [one.name for one in found.settings] == ["recipe"]
    assert list(found.failed) == ["max_length=16-seed0"]
    assert "max_length" in (run.folder / "sweeps/main/sweep.html").read_text()


def test_two_processes_share_the_cells_and_agree_with_one(run_of, tickets, tiny_model):
    recipe, make = run_of
    apart, alone = (job_of(make(tickets), recipe, tiny_model) for _ in range(2))
    seen = []
    run_cells(apart, ["", ""], lambda done, total: seen.append((done, total)))
    run_cells(alone, [], silent)
    for cell in alone.cells:
        ours, theirs = apart.done(cell), alone.done(cell)
        assert ours is not None
        assert theirs is not None
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_killed_in_the_middle_it_goes_on_to_the_same_weights(run_of, tickets, swept):
    recipe, make = run_of
    run, (done_run, _, _) = make(tickets), swept
    script = (
        "from pathlib import Path; from prefloop.loop import run_sweep; from prefloop.recipe import Recipe\n"
        "from prefloop.runs import Run, read_json; from prefloop.train.sweep import SweepSettings\n"
        f"run = Run(Path({str(run.folder)!r}))\n"
        "recipe = Recipe.model_validate(read_json(run.folder / 'recipe.json'))\n"
        "run_sweep(run, recipe, SweepSettings(over={'train.beta': (0.1, 1.0)}, seeds=1))\n"
    )
    started = subprocess.Popen([sys.executable, "-P", "-c", script], cwd=run.folder.parent, env=os.environ)
    deadline = time.monotonic() + 120
    while not list(run.folder.glob("sweeps/main/cells/beta*/checkpoints/checkpoint-*/prefloop.json")):
        assert time.monotonic() < deadline, "the second cell never came to a checkpoint"
        assert started.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    first = cell_files(run)["recipe-seed0"].stat().st_mtime_ns
    assert "beta=1.0-seed0" not in cell_files(run)
    run_sweep(run, recipe, BETAS)
    assert cell_files(run)["recipe-seed0"].stat().st_mtime_ns == first
    for name, path in cell_files(run).items():
        theirs = json.loads((done_run.folder / f"sweeps/main/cells/{name}/cell.json").read_text())
        assert {**json.loads(path.read_text()), "seconds": 0} == {**theirs, "seconds": 0}

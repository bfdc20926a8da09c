"""Sweeps of real trainings: shared work, the same weights as alone, kills at any moment, several processes."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import prefloop
import pytest
import torch
from prefloop.collect import Message, PreferencePair, read_sealed, seal
from prefloop.collect.files import write_rows
from prefloop.errors import UserError
from prefloop.loop import run_sweep, sweep_workers
from prefloop.loop.sweep_cells import Job
from prefloop.loop.sweep_workers import run_cells
from prefloop.recipe import load_recipe, recipe_run
from prefloop.runs import read_json
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


def without_seconds(record):
    return {key: value for key, value in record.items() if key != "seconds"}


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
    assert "beta 1<" in page
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


def test_on_the_sealed_set_it_is_opened_and_a_training_that_fails_is_told(run_of, tickets):
    recipe, make = run_of
    run = make(tickets[:8])
    write_rows(run.folder / "collect/sealed_pairs.jsonl", tickets[8:])
    # In 16 tokens no prompt leaves room for an answer.
    both = SweepSettings(over={"train.max_length": (16, 128)}, seeds=1)
    found = run_sweep(run, recipe, both, name="last", on="sealed")
    assert set(found.pair_ids) == {pair.id for pair in tickets[8:]}
    assert found.openings == 1
    assert len((run.folder / "collect/openings.jsonl").read_text().splitlines()) == 1
    assert [one.name for one in found.settings] == ["recipe"]
    assert list(found.failed) == ["max_length=16-seed0"]
    page = (run.folder / "sweeps/last/sweep.html").read_text()
    assert "can no longer" in page
    assert "max_length=16-seed0 came to no end" in page


def test_two_processes_share_the_cores_and_agree_with_one(run_of, tickets, tiny_model, swept, monkeypatch, caplog):
    recipe, make = run_of
    started, in_processes = [], sweep_workers._in_processes

    def watched(job, devices, advance, *, threads):
        started.append((len(devices), threads))
        in_processes(job, devices, advance, threads=threads)

    monkeypatch.setattr(sweep_workers, "_in_processes", watched)
    one_process, _, found = swept
    run = make(tickets)
    measured = tuple(pair for pair in sorted(tickets, key=lambda pair: pair.id) if pair.id in found.pair_ids)
    job = Job(
        folder=run.folder / "sweeps/main",
        base=tiny_model,
        training=tuple(pair for pair in tickets if pair.id not in found.pair_ids),
        measured=measured,
        sealed=read_sealed(run.folder / "collect/sealed.json"),
        batch_size=recipe.evaluate.batch_size,
        cells=tuple(cells(recipe.train, [{}, {"beta": 1.0}, {"beta": 2.0}], [recipe.train.seed])),
        long=True,
    )
    seen, threads = [], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_cells(job, [], lambda done, total: seen.append((done, total)))
    finally:
        torch.set_num_threads(threads)
    assert started == [(2, 1)]  # and what was over had all cores
    assert caplog.text.count("optimiser steps in all") == 3  # what workers have to say comes here
    for cell in job.cells[:2]:
        assert without_seconds(job.done(cell)) == without_seconds(read_json(cell_files(one_process)[cell.name]))
    assert job.done(job.cells[2])
    assert seen[-1] == (300, 300)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_killed_while_two_processes_work_it_goes_on_to_the_same_weights(run_of, tickets, swept):
    recipe, make = run_of
    run, done_run = make(tickets), swept[0]
    script = (
        "from pathlib import Path; from prefloop.loop import sweeping; from prefloop.recipe import Recipe\n"
        "from prefloop.runs import Run, read_json; from prefloop.train.sweep import SweepSettings\n"
        "sweeping.gpus = lambda: ['', '']\n"
        "if __name__ == '__main__':\n"
        f"    run = Run(Path({str(run.folder)!r}))\n"
        "    recipe = Recipe.model_validate(read_json(run.folder / 'recipe.json'))\n"
        "    sweeping.run_sweep(run, recipe, SweepSettings(over={'train.beta': (0.1, 1.0)}, seeds=1))\n"
    )
    program = run.folder.parent / "program.py"
    program.write_text(script)
    started = subprocess.Popen([sys.executable, "-P", str(program)], cwd=run.folder.parent, env=os.environ)
    try:
        until(lambda: list(run.folder.glob("sweeps/main/cells/*/checkpoints/checkpoint-*/prefloop.json")), started)
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
    assert len(cell_files(run)) < 2
    for claim in run.folder.glob("sweeps/main/claims/*"):
        until(lambda claim=claim: is_free(claim))  # its worker has seen that it is alone, and ended
    run_sweep(run, recipe, BETAS)
    assert set(cell_files(run)) == {"beta=1.0-seed0", "recipe-seed0"}
    for name, path in cell_files(run).items():
        assert without_seconds(read_json(path)) == without_seconds(read_json(cell_files(done_run)[name]))


def until(true, running=None):
    deadline = time.monotonic() + 180
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        assert running is None or running.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)


def is_free(claim):
    with claim.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

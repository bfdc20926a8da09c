"""One recipe in several processes on two CPUs, started as its users start it: same losses, one writer, one voice."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

import psutil
import pytest
from prefloop.collect import read_pairs, write_rows
from prefloop.errors import UserError
from prefloop.loop import adopt_votes, train_adapter
from prefloop.recipe import load_recipe, recipe_run
from prefloop.train.scale.launching import launch_file
from prefloop.train.watching.held_out import split
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

BIN = Path(sys.executable).parent
TRAINED, HELD_OUT, STEPS = 24, 4, 12
"""Pairs trained on twice, 4 at once: divisible by all that share a step, so that no last step is filled up."""
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 0.02, 0.03
"""How far losses of about 0.5 may drift apart, and the trained matrices by their norm: other sums are rounded, in
bfloat16. Sums over the same pairs differ by 0.003 of the norm, one pair taken twice makes it 0.06."""


def recipe_arguments(tiny_model):
    """What `prefloop train` is told: the demonstration's recipe, short, on the tiny model."""
    settings = {
        "base_model": tiny_model.path,
        "learning_rate": 1e-3,
        "batch_size": 4,
        "epochs": 2,
        "save_every": 1,
        "lora_rank": 4,
        "loss_type": "[sigmoid]",
        "loss_weights": "null",
        "held_out": f"{{share: 0.2, at_least: {HELD_OUT}, at_most: {HELD_OUT}, every: 4}}",
    }
    return [f"train.{name}={value}" for name, value in settings.items()]


def enough(pairs, held_out):
    """So many of the pairs that `TRAINED` are left to train on."""
    return next(
        pairs[:count] for count in range(TRAINED, 48) if len(split(pairs[:count], held_out).training) == TRAINED
    )


@pytest.fixture(scope="module")
def recipe(tiny_model):
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        return load_recipe(path, recipe_arguments(tiny_model))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run_of(runs, recipe):
    """Return the run of this name, with its pairs."""

    def opened(name):
        made = (runs / name).exists()
        run = recipe_run(recipe, runs / name)
        if not made:
            adopt_votes(run, recipe)
            pairs = run.folder / "collect" / "pairs.jsonl"
            write_rows(pairs, enough(read_pairs(pairs), recipe.train.held_out))
        return run

    return opened


@pytest.fixture(scope="module")
def one(run_of, recipe):
    """Train in one process, undisturbed."""
    run = run_of("one")
    train_adapter(run, recipe)
    return run.folder


@pytest.fixture
def start(run_of, tiny_model):
    """Start `prefloop train` on a run, in one process or under a launcher."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FSDP_"))}

    def started(name, *launcher, environment=None):
        with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
            own = [BIN / "prefloop", "train", path, "--run", run_of(name).folder]
        for override in recipe_arguments(tiny_model):
            own += ["--set", override]
        return subprocess.Popen(
            [*map(str, launcher), *map(str, own), *(["--processes", "2"] if launcher else [])],
            env=kept | {"OMP_NUM_THREADS": "1"} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return started


# Without --, torchrun takes --run for an option of its own.
TORCHRUN = (BIN / "torchrun", "--nproc-per-node", "2", "--shutdown-timeout", "120", "--")


def fsdp2():
    """What accelerate's own launcher makes of the shipped configuration for its processes."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    arguments = launch_command_parser().parse_args(["--config_file", str(launch_file("fsdp2")), "train.py"])
    arguments, *_ = _validate_launch_command(arguments)
    prepared = prepare_multi_gpu_env(arguments)
    return {name: value for name, value in prepared.items() if name.startswith(("ACCELERATE_", "FSDP_"))}


def rows(folder):
    return [json.loads(line) for line in (folder / "train" / "metrics.jsonl").read_text().splitlines()]


def weights(folder):
    return load_file(folder / "train" / "adapter" / "adapter_model.safetensors")


def wait_for(process, folder, step):
    """Wait for the step's checkpoint."""
    mark = folder / "train" / "checkpoints" / f"checkpoint-{step}" / "prefloop.json"
    while not mark.exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.005)


def ended(process):
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def same_training(one, other):
    """Whether two runs had the same losses at every step, and ended with the same adapter, all but rounding."""
    logged, found = rows(one), rows(other)
    assert [row["step"] for row in found] == [row["step"] for row in logged] == list(range(1, STEPS + 1))
    for expected, got in zip(logged, found, strict=True):
        assert got["loss"] == pytest.approx(expected["loss"], abs=LOSS_TOLERANCE)
        assert ("eval_rewards/accuracies" in got) == ("eval_rewards/accuracies" in expected) == (got["step"] % 4 == 0)
    expected, got = weights(one), weights(other)
    assert expected.keys() == got.keys()
    assert {value.dtype for value in got.values()} == {value.dtype for value in expected.values()}
    trained = [name for name in expected if "lora_B" in name]  # they start at zero, so their norm is what was learned
    moved = sum(float(expected[name].norm()) ** 2 for name in trained) ** 0.5
    apart = sum(float((expected[name] - got[name]).norm()) ** 2 for name in trained) ** 0.5
    assert apart < WEIGHT_TOLERANCE * moved


def test_ctrl_c_ends_the_step_and_keeps_it(runs, recipe, run_of, start, one):
    process = start("cut")
    wait_for(process, runs / "cut", 2)
    process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130, said
    [(step, of)] = re.findall(r"stopped after step (\d+) of (\d+) and kept it; the same command goes on", said)
    assert (int(of), "Traceback" in said) == (STEPS, False)
    assert (runs / "cut" / "train" / "checkpoints" / f"checkpoint-{step}" / "prefloop.json").exists()
    train_adapter(run_of("cut"), recipe)
    same_training(one, runs / "cut")


def test_ddp_trains_as_one_process_and_goes_on_as_one(runs, recipe, run_of, start, one):
    process = start("ddp", *TORCHRUN)
    wait_for(process, runs / "ddp", 3)
    # The scheduler's SIGTERM, to the launcher: both processes stop after the same step.
    process.send_signal(signal.SIGTERM)
    code, said = ended(process)
    assert code != 0
    assert said.count("stopped after step") == 1, said
    train_adapter(run_of("ddp"), recipe)
    same_training(one, runs / "ddp")


def test_fsdp2_trains_as_one_process_and_outlives_a_killed_one(runs, recipe, run_of, start, one):
    process = start("fsdp", *TORCHRUN, environment=fsdp2())
    wait_for(process, runs / "fsdp", 3)
    [second] = [child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == "1"]
    second.kill()
    code, said = ended(process)
    assert code != 0
    assert not (runs / "fsdp" / "train" / "adapter").exists()
    # Split checkpoints are no use to a process that stands alone, and are not thrown away.
    with pytest.raises(UserError, match="was written under FSDP2"):
        train_adapter(run_of("fsdp"), recipe)
    code, said = ended(start("fsdp", *TORCHRUN, environment=fsdp2()))
    assert code == 0, said
    assert said.count("Trained") == 1
    same_training(one, runs / "fsdp")


def test_a_launcher_that_starts_fewer_processes_is_found_out(start):
    accelerate = (BIN / "accelerate", "launch", "--cpu", "--num_processes", "2", "--num_machines", "1")
    code, said = ended(start("fewer", *accelerate, "--mixed_precision", "no", "--dynamo_backend", "no"))
    assert code != 0
    assert "--processes asks for 2 processes, but 1 runs" in said

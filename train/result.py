"""The end of a training: weights on disk, read back, with their record beside them."""

import math
import shutil
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs import read_lines
from .adapter import Adapter, adapter_sha256, write_record
from .checks.kept import keep_read_back
from .checks.read_back import read_back
from .hardware import describe_hardware
from .job import Job
from .saving import write_weights
from .watching.callback import SPEED
from .watching.stopping import Stopping

if TYPE_CHECKING:
    from trl import DPOTrainer

LIBRARIES = ("prefloop", "trl", "transformers", "peft", "torch", "accelerate")


@dataclass(frozen=True, slots=True)
class Trained:
    """What the steps took, and what the held-out pairs said of them."""

    pairs: int
    """Trained on."""
    steps: int
    seconds: float
    pairs_per_second: float
    stopping: Stopping | None
    held_out: dict[str, float]


def save_result(trainer: "DPOTrainer", weights: dict[str, Any] | None, job: Job, trained: Trained) -> Adapter:
    """Write what was trained to a folder of its own, read it back, and put it in its place.

    Args:
        trainer: At its end.
        weights: All of them, where no process holds them whole.
        job: The training.
        trained: How it went.

    Raises:
        UserError: what was written does not say what was trained.
    """
    partial, final = job.folder / ".adapter.partial", job.folder / "adapter"
    shutil.rmtree(partial, ignore_errors=True)
    write_weights(trainer, weights, job.settings, job.base, partial)
    keep_read_back(job.folder, read_back(trainer, partial, job.settings))
    per_epoch = math.ceil(trained.pairs / job.settings.batch_size)
    fingerprints = {name: value for name, value in job.identity.items() if name != "settings"}
    adapter = Adapter(
        path=partial,
        base_name=job.base.name,
        base_revision=job.base.revision,
        sha256=adapter_sha256(partial),
        settings=job.settings,
        pairs=trained.pairs,
        steps=trained.steps,
        seconds=trained.seconds,
        pairs_per_second=trained.pairs_per_second,
        metrics=_last_epoch(job.folder / "metrics.jsonl", trained.steps, per_epoch),
        versions={name: version(name) for name in LIBRARIES},
        held_out=trained.held_out,
        stopping=trained.stopping,
        hardware=describe_hardware(trainer.accelerator.device, trainer.accelerator.num_processes),
        **fingerprints,
    )
    write_record(adapter)
    partial.rename(final)
    return replace(adapter, path=final)


def _last_epoch(metrics: Path, steps: int, steps_per_epoch: int) -> dict[str, float]:
    rows = [row for row in read_lines(metrics) if row["step"] > steps - steps_per_epoch]
    logged: dict[str, list[float]] = {}
    for row in rows:
        for name in filter(_is_averaged, row):
            logged.setdefault(name, []).append(row[name])
    # A step without ties, or of ties alone, has no number for what it lacks.
    whole = {name: found for name, found in logged.items() if len(found) == len(rows) or name.startswith("rewards/")}
    return {name: round(sum(found) / len(found), 6) for name, found in whole.items()}


def _is_averaged(name: str) -> bool:
    return name not in {"step", "epoch", "learning_rate", "alarms", *SPEED} and not name.startswith("eval_")

"""Checkpoints of an unfinished training: which of them are whole, and which belong to this training."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from ..runs import read_json, read_lines, write_json, write_lines

log = logging.getLogger(__name__)

MARK = "prefloop.json"
"""Written into a checkpoint last, with the identity of its training: without it, a kill tore the checkpoint."""


KEPT = 2
"""Checkpoints that are kept; while one is written there is one more."""


def whole(checkpoint: Path) -> bool:
    """Whether all of it was written."""
    return (checkpoint / MARK).exists()


def mark_whole(checkpoint: Path, identity: dict[str, Any]) -> None:
    """Say that everything of this checkpoint is on disk."""
    for path in checkpoint.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    write_json(checkpoint / MARK, identity)


def last_whole(folder: Path, identity: dict[str, Any]) -> Path | None:
    """Return the newest checkpoint to resume from; throw away torn ones and those of another training."""
    good: list[Path] = []
    for path in sorted(folder.glob("checkpoint-*"), key=step_of):
        if (path / MARK).exists() and read_json(path / MARK) == identity:
            good.append(path)
        else:
            why = "belongs to another training" if (path / MARK).exists() else "is incomplete"
            log.warning("%s %s and is not resumed from", path, why)
            shutil.rmtree(path)
    return good[-1] if good else None


def step_of(checkpoint: Path) -> int:
    """Return the optimiser step at which a checkpoint was taken."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def cut_metrics(metrics: Path, step: int) -> None:
    """Forget what was logged after the checkpoint: those steps are done again."""
    write_lines(metrics, [row for row in read_lines(metrics) if row["step"] <= step])

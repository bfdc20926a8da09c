"""The checks of a training, kept in its folder: at step 0, of what moved, of what was saved."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...runs import read_json, write_json
from .first_step import FirstStep
from .moved import Moved
from .read_back import ReadBack

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

FILE = "checks.json"


def keep_first_step(folder: Path, found: FirstStep | None) -> None:
    """Start the file: what an earlier attempt found is of no matter any more."""
    write_json(folder / FILE, {"first_step": asdict(found) if found else None})


def keep_moved(folder: Path, found: Moved, steps: int) -> None:
    """Keep what moved in so many steps, and warn of what should have."""
    for warning in found.warnings(steps):
        log.warning("%s", warning)
    _add(folder, "moved", found)


def keep_read_back(folder: Path, found: ReadBack | None) -> None:
    """Keep how what was saved compares with what was trained."""
    if found:
        _add(folder, "read_back", found)


def _add(folder: Path, name: str, found: "DataclassInstance") -> None:
    path = folder / FILE
    write_json(path, (read_json(path) if path.exists() else {}) | {name: asdict(found)})

"""The run folder: what lies where, how a phase is marked done, and what it cost.

runs/demo/
  recipe.json          the resolved recipe; a run never changes recipe silently
  state.json           the phases that are done: when, seconds, peak memory
  log.txt
  collect/             items, sealed prompts, side key, votes, pairs, agreement
  train/               preflight, metrics, checkpoints, adapter/
  evaluate/            likelihoods, generations, general task
  report.html report.json
  release/             exactly what would be pushed to the Hub
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from .errors import UserError

PHASES = ("push", "label", "pull", "train", "evaluate", "release")
"""The loop's phases in order; each builds on those before it."""

REPEATABLE = {
    "train": "train",
    "evaluate.audit": "release",
    "evaluate.gate": "release",
    "evaluate": "evaluate",
    "publish": "release",
    "sweep": "release",
    "collect.sample": "push",
    "collect.select": "push",
    "collect.pairs": "pull",
    "collect.decontaminate": "pull",
    "collect.pii": "pull",
    "collect.price_per_hour": "release",
    "collect.currency": "release",
}
"""Sections of a recipe that may change within a run, and the first phase that is then out of date; `train` only until
something is trained, for a preflight that asks for another setting must not cost the votes."""

MIGRATABLE = ("collect.form", "collect.guidelines", "collect.min_votes", "collect.skills")
"""Settings that change within a run by `prefloop collect migrate` only: people may have labelled by them."""


class Progress(Protocol):
    """Called with how much is done and how much there is, in any unit that grows evenly with time."""

    def __call__(self, done: int, total: int) -> None:
        """Take note of the progress."""


def silent(done: int, total: int) -> None:
    """Show nothing: the default wherever a function can report progress."""


OnMetrics = Callable[[Mapping[str, Any]], None]
"""Called with every row of metrics as it is written: names and numbers, `step` among them."""


def unheard(row: Mapping[str, Any]) -> None:
    """Show nothing: the default wherever a function tells of metrics."""


def write_text(path: Path, text: str, *, mode: int = 0o644) -> Path:
    """Write the whole file or nothing: a reader never sees half of it, not even after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return path


def write_json(path: Path, value: object, *, mode: int = 0o644) -> Path:
    """Write `value` as readable JSON, whole or not at all."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", mode=mode)


def read_json(path: Path) -> Any:
    """Read a JSON file of the run.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the phase that writes it first") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON (line {error.lineno}): {error.msg}") from error


def write_lines(path: Path, rows: Iterable[object], *, mode: int = 0o644) -> Path:
    """Write one JSON object a line, whole or not at all."""
    return write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), mode=mode)


def put_in_place(finished: Path, folder: Path) -> None:
    """Put a finished folder in another's place; a kill in between leaves the old or the new one beside it, whole."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(finished, folder)
    shutil.rmtree(old, ignore_errors=True)


def append_line(path: Path, row: object) -> None:
    """Append one JSON object as a line; a kill in the middle leaves a torn line, which `read_lines` drops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_lines(path: Path) -> list[Any]:
    """Read a JSON-lines file of the run; a torn last line (a kill while appending) is work still owed, and cut off."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    complete, torn = lines[:-1], lines[-1]
    rows = [json.loads(line) for line in complete if line]
    if torn:
        path.write_text("".join(line + "\n" for line in complete), encoding="utf-8")
    return rows


@dataclass(frozen=True, slots=True)
class Cost:
    """What a phase took."""

    seconds: float
    peak_mb: int
    """The largest resident memory of this process (MiB) during the phase; the Argilla server is another process."""
    summary: str


class Run:
    """One run's folder and its record of finished phases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def costs(self) -> dict[str, Cost]:
        """The finished phases in the order they were finished."""
        path = self.folder / "state.json"
        rows = read_json(path)["phases"] if path.exists() else {}
        return {name: Cost(**row) for name, row in rows.items()}

    def finish(self, phase: str, cost: Cost) -> None:
        """Mark a phase done; from now on a re-run skips it."""
        self._write(self.costs | {phase: cost})

    def forget_from(self, phase: str) -> None:
        """Mark a phase and all that build on it as not done: their results are about to be out of date."""
        kept = PHASES[: PHASES.index(phase)]
        self._write({name: cost for name, cost in self.costs.items() if name in kept})

    def _write(self, costs: dict[str, Cost]) -> None:
        write_json(self.folder / "state.json", {"phases": {name: asdict(cost) for name, cost in costs.items()}})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            UserError: another process works in it.
        """
        import fcntl

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"{self.folder} is in use by another prefloop process; wait for it or stop it"
                ) from error
            yield


def open_run(folder: Path, recipe: dict[str, Any], *, overwrite: bool = False, migrating: bool = False) -> Run:
    """Open a run for this resolved recipe, new or to be resumed.

    Args:
        folder: the run's.
        recipe: resolved.
        overwrite: throw a run that is there away.
        migrating: take a recipe that shows items otherwise (`MIGRATABLE`); whoever asks for it carries the votes over.

    Raises:
        UserError: the folder holds a run of another recipe, or something that is no run.
    """
    saved = folder / "recipe.json"
    if overwrite and saved.exists():
        import shutil

        shutil.rmtree(folder)
    if saved.exists():
        _adopt(Run(folder), recipe, migrating)
    elif folder.exists() and any(path.name != ".lock" for path in folder.iterdir()):
        raise UserError(f"{folder} is not empty and is not a prefloop run; choose another --run folder")
    else:
        write_json(saved, recipe)
    return Run(folder)


def _adopt(run: Run, recipe: dict[str, Any], migrating: bool) -> None:
    """Take the recipe for this run if only what can be done again at little cost has changed."""
    saved = run.folder / "recipe.json"
    changed = sorted(_differences(read_json(saved), recipe))
    over = {"train"} & run.costs.keys()
    fixed = [key for key in changed if _outdated_by(key) in {None, *over} and not (migrating and _migratable(key))]
    if fixed and all(_migratable(key) for key in fixed):
        raise UserError(
            f"{run.folder} shows annotators other questions than this recipe (changed: {', '.join(fixed)}); "
            "`prefloop collect migrate` makes the next version of the queue and carries the votes over"
        )
    if fixed:
        raise UserError(
            f"{run.folder} already holds a run of another recipe (changed: {', '.join(fixed)}); "
            "choose another --run folder, or --overwrite to throw that run away"
        )
    if changed:
        write_json(saved, recipe)
        run.forget_from(min((_outdated_by(key) or "push" for key in changed), key=PHASES.index))


def _outdated_by(key: str) -> str | None:
    """Return the first phase that a changed setting makes out of date, None if it may not change within a run."""
    return next((phase for name, phase in REPEATABLE.items() if f"{key}.".startswith(f"{name}.")), None)


def _migratable(key: str) -> bool:
    return key.startswith(tuple(f"{name}." for name in MIGRATABLE)) or key in MIGRATABLE


def reset_peak_memory() -> None:
    """Start counting peak memory afresh, where the kernel allows it (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> int:
    """Return this process's largest resident memory in MiB since the last reset, or since its start."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def timed(run: Run, phase: str) -> Iterator[list[str]]:
    """Time a phase and mark it done unless it raises; what is appended to the list becomes its summary."""
    summary: list[str] = []
    run.forget_from(phase)
    reset_peak_memory()
    start = time.monotonic()
    yield summary
    run.finish(phase, Cost(round(time.monotonic() - start, 1), peak_memory_mb(), "; ".join(summary)))


def _differences(old: object, new: object, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path

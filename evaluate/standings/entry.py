"""A model's line on the leaderboard, read from a run's folder or from what `prefloop bench tasks --json` wrote.

Files are read as they lie on disk, by this prefloop's or an older one's names: what is absent is an empty cell.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from ...errors import UserError
from ...runs import read_json
from ..gates.evidence import at
from .size import parameters

Json = Mapping[str, Any]
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """One score of one model, 0 to 100."""

    column: str
    value: float
    low: float | None
    high: float | None
    n: int | None = None
    """Questions, pairs or prompts; None where the file doesn't say."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model."""

    name: str
    role: Literal["base", "tuned", "model"]
    """`model`: measured by itself."""
    sha256: str
    base: str
    """The base model's name; its own for one that is no adapter."""
    size: int | None
    """Parameters of the base: counted in its files, else as its name says it; None where neither does."""
    task: str
    """The recipe's name; empty for one that only has benchmarks."""
    licence: str
    """Empty where the recipe names none."""
    verdict: str
    """Of the report; empty for a base and for benchmarks."""
    gate: bool | None
    """Whether the gate opened; None where it wasn't asked."""
    openings: int | None
    """How often the sealed set had been opened."""
    created: str
    source: str
    """The folder or file, as it was given."""
    benchmarks: bool
    """Whether it comes from benchmarks alone, and not from a run."""
    scores: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """All entries, and what could not be one."""

    entries: tuple[Entry, ...]
    columns: tuple[str, ...]
    """Of the scores, in the order in which they are shown."""


def read_entries(sources: Sequence[Path]) -> Standing:
    """Read run folders and benchmark results; scores of one model (by its fingerprint) stand on one line.

    Raises:
        UserError: a folder has no report, or a file holds no benchmark results.
    """
    entries = [entry for source in sources for entry in _read(source)]
    merged = _merged(entries)
    columns = dict.fromkeys(score.column for entry in merged for score in entry.scores)
    return Standing(tuple(merged), tuple(columns))


def _read(source: Path) -> Iterator[Entry]:
    if source.is_dir():
        yield from _run(source)
        return
    found = read_json(source)
    if not isinstance(at(found, "rows"), list) or not isinstance(at(found, "models"), list):
        raise UserError(f"{source} holds no benchmark results: give run folders, or what `bench tasks --json` wrote")
    yield from _benchmarks(found, str(source))


def _run(folder: Path) -> Iterator[Entry]:
    report = read_json(folder / "report.json")
    recipe = read_json(folder / "recipe.json") if (folder / "recipe.json").exists() else {}
    gate = at(read_json(folder / "gate.json"), "passed") if (folder / "gate.json").exists() else None
    base = _text(report, "base", "name")
    shared = Entry(
        name=base,
        role="base",
        sha256=_text(report, "base", "sha256"),
        base=base,
        size=parameters(base),
        task=_text(recipe, "name"),
        licence=_text(recipe, "publish", "base_license"),
        verdict="",
        gate=None,
        openings=None,
        created=_text(report, "how", "created"),
        source=str(folder),
        benchmarks=False,
        scores=tuple(_report_scores(report, "base")),
    )
    openings = at(report, "sealed", "openings")
    yield replace(
        shared,
        name=_text(recipe, "publish", "repo") or _text(recipe, "name") or folder.name,
        role="tuned",
        sha256=_text(report, "tuned", "sha256"),
        licence=_text(recipe, "publish", "license"),
        verdict=_text(report, "verdict"),
        gate=gate if isinstance(gate, bool) else None,
        openings=openings if isinstance(openings, int) else None,
        scores=tuple(_report_scores(report, "tuned")),
    )
    yield shared


def _report_scores(report: Json, who: str) -> Iterator[Reading]:
    criteria = at(report, "check", "criteria") or ()
    compared = {
        "Preference": at(report, "preference", "normalised"),
        "Task check": next((at(one, "rate") for one in criteria if at(one, "name") == "all"), None),
        "Right answers": at(report, "style", "right", "rate"),
        "General": at(report, "general", "accuracy"),
    }
    for column, found in compared.items():
        yield from _reading(column, at(found, who), 100)
    if who == "tuned":
        yield from _reading("Wins against its base", at(report, "win_rate", "rate"), 100)
    yield from _task_scores(at(report, "tasks", "rows") or (), who)


def _benchmarks(found: Json, source: str) -> Iterator[Entry]:
    models = found["models"]
    base = _text(models[0], "name") if models else ""
    for number, model in enumerate(models):
        who = "base" if number == 0 else "tuned"
        yield Entry(
            name=_text(model, "name"),
            role="model" if len(models) == 1 else who,  # type: ignore[arg-type]
            sha256=_text(model, "sha256"),
            base=base,
            size=parameters(base),
            task="",
            licence="",
            verdict="",
            gate=None,
            openings=None,
            created=_text(found, "created"),
            source=source,
            benchmarks=True,
            scores=tuple(_task_scores(found["rows"], who)),
        )


def _task_scores(rows: Sequence[Json], who: str) -> Iterator[Reading]:
    """Read normalised scores under the label that may stand beside them: a part of a benchmark never has its name."""
    for row in rows:
        label = _text(row, who, "label") or _text(row, "label") or _text(row, "name")
        yield from _reading(label, at(row, who, "score"), 1, at(row, "questions"))


def _reading(column: str, found: Any, scale: float, n: Any = None) -> Iterator[Reading]:
    value, low, high = (_number(at(found, key), scale) for key in ("value", "low", "high"))
    if value is not None:
        count = n if n is not None else at(found, "n")
        yield Reading(column, value, low, high, count if isinstance(count, int) else None)


def _merged(entries: Sequence[Entry]) -> list[Entry]:
    """Put scores of one model on one line for each task, the newest of each column; benchmarks join all its lines."""
    lines: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.benchmarks, entry.created)):
        model = entry.sha256 or f"{entry.source} {entry.name}"
        own = [key for key in lines if entry.benchmarks and key[0] == model]
        for key in own or [(model, "" if entry.benchmarks else entry.task or entry.source)]:
            known = lines.get(key)
            scores = _joined(known.scores if known else (), entry.scores)
            lines[key] = replace(known if known and entry.benchmarks else entry, scores=scores)
    return list(lines.values())


def _joined(old: Sequence[Reading], new: Sequence[Reading]) -> tuple[Reading, ...]:
    return tuple(({score.column: score for score in old} | {score.column: score for score in new}).values())


def _text(value: Any, *path: str) -> str:
    """Return a text without what would break a line or turn its direction."""
    found = at(value, *path)
    return UNPRINTABLE.sub(" ", found).strip() if isinstance(found, str) else ""


def _number(value: Any, scale: float) -> float | None:
    return scale * value if isinstance(value, int | float) and isfinite(value) else None

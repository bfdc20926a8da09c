"""What a search may ask of a release, and whom it leaves out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import UserError
from ...evaluate.estimate import Verdict
from .entry import Entry, Score

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMB]?)", re.IGNORECASE)
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
DIFFERENCE = "difference"
"""The name by which `--min-score` asks for the difference to the base model."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Everything asked for must hold; what a release does not say does not hold."""

    base: str | None = None
    """A part of the base model's name, in any case."""
    licence: str | None = None
    max_parameters: int | None = None
    language: str | None = None
    verdict: Verdict | None = None
    min_scores: tuple[tuple[str, float], ...] = ()
    """The score's identifier, and what the lower end of its interval must reach."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The releases that a filter left out."""

    by: str
    """The filter, as the user wrote it, and why where there are several reasons."""
    names: tuple[str, ...]


def apply_filters(entries: Sequence[Entry], filters: Filters) -> tuple[list[Entry], list[LeftOut]]:
    """Return the releases that pass every filter, and the others, each counted at the first that it fails."""
    kept, left_out = list(entries), []
    for by, passes in _tests(filters):
        failed = tuple(entry.name for entry in kept if not passes(entry))
        kept = [entry for entry in kept if passes(entry)]
        if failed:
            left_out.append(LeftOut(by, failed))
    return kept, left_out


def parse_size(text: str) -> int:
    """Return a number of parameters: `500M`, `1.7B`, `135000000`.

    Raises:
        UserError: it is none.
    """
    found = SIZE.fullmatch(text.strip())
    if not found or not (size := round(float(found[1]) * UNITS[found[2].upper()])):
        raise UserError(f"--max-size {text!r} is no number of parameters; write it as 500M or 1.7B")
    return size


def parse_min_score(text: str) -> tuple[str, float]:
    """Return a score's identifier and a share in [-1, 1]: `task_check=0.7`.

    Raises:
        UserError: it is not written so.
    """
    name, _, number = text.partition("=")
    try:
        least = float(number)
    except ValueError:
        least = float("nan")
    if not name.strip() or not -1 <= least <= 1:
        raise UserError(
            f"--min-score {text!r} is not METRIC=SHARE: write it as task_check=0.7, with a share from -1 to 1"
        )
    return name.strip(), least


def known_scores(entries: Sequence[Entry]) -> list[str]:
    """Return the identifiers that `min_scores` may name for these releases."""
    return [DIFFERENCE, *sorted({score.task for entry in entries for score in entry.block.results if score.task})]


def score_of(entry: Entry, name: str) -> Score | None:
    """Return a release's score by its identifier."""
    if name == DIFFERENCE:
        return entry.block.difference
    return next((score for score in entry.block.results if score.task == name), None)


def _tests(filters: Filters) -> list[tuple[str, Callable[[Entry], bool]]]:
    tests: list[tuple[str, Callable[[Entry], bool]]] = []
    if (base := filters.base) is not None:
        tests.append((f"--base {base}", lambda entry: base.casefold() in entry.base.casefold()))
    if (licence := filters.licence) is not None:
        tests.append((f"--license {licence}", lambda entry: entry.licence.casefold() == licence.casefold()))
    if (most := filters.max_parameters) is not None:
        tests.append(("--max-size (its size is not known)", lambda entry: entry.block.parameters is not None))
        tests.append((f"--max-size {most:,} parameters", lambda entry: (entry.block.parameters or 0) <= most))
    if (language := filters.language) is not None:
        tests.append(
            (f"--language {language}", lambda entry: language.casefold() in map(str.casefold, entry.languages))
        )
    if (verdict := filters.verdict) is not None:
        tests.append((f"--verdict {verdict}", lambda entry: entry.block.verdict == verdict))
    for name, least in filters.min_scores:
        tests += _score_tests(name, least)
    return tests


def _score_tests(name: str, least: float) -> list[tuple[str, Callable[[Entry], bool]]]:
    """Ask for the lower end of the interval: a value alone may be chance."""

    def reaches(entry: Entry) -> bool:
        score = score_of(entry, name)
        return score is not None and score.low >= least

    return [
        (f"--min-score {name} (it was not measured)", lambda entry: score_of(entry, name) is not None),
        (f"--min-score {name}={least:g} (lower end of the interval)", reaches),
    ]

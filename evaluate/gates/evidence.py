"""What a report's JSON says about the tuned model against its base: differences in points, with interval and chance.

The report is read as it lies on disk, and parts of it may be absent: an older report, or one with less measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import NormalDist
from typing import Any

from ..statistics.distributions import sign_test

Report = Mapping[str, Any]
"""A report.json."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A difference between tuned and base model; above 0 the tuned one is ahead."""

    name: str
    difference: float
    """In points: of a hundred questions, prompts or pairs."""
    low: float
    high: float
    p: float
    """Two-sided chance of a difference this large where there is none."""
    n: int
    by: str | None = None
    """The judge model whose verdicts it rests on; None for exact scores, the task check and people."""


def claims(report: Report) -> dict[str, Claim]:
    """Return every claim that the report has evidence for, by the name that a gate's rules use."""
    return {claim.name: claim for claim in _claims(report)}


def at(report: Any, *path: str) -> Any:
    """Return what lies at a path of keys, None where anything on the way is absent."""
    for key in path:
        if not isinstance(report, Mapping):
            return None
        report = report.get(key)
    return report


def _claims(report: Report) -> Iterator[Claim]:
    criteria = at(report, "check", "criteria") or ()
    compared = {
        "preference": at(report, "preference", "normalised"),
        "check": next((at(one, "rate") for one in criteria if at(one, "name") == "all"), None),
        "general": at(report, "general", "accuracy"),
        "right_answers": at(report, "style", "right", "rate"),
    }
    rows = [(name, at(found, "difference"), at(found, "p")) for name, found in compared.items()]
    for task in at(report, "tasks", "rows") or ():
        difference = at(task, "decision", "difference")
        rows.append((str(at(task, "name")), difference, at(difference, "p")))
    for name, difference, p in rows:
        if claim := _claim(name, difference, p):
            yield claim
    yield from _win_rates(report)


def _claim(name: str, difference: Any, p: Any, *, middle: float = 0.0, by: str | None = None) -> Claim | None:
    """Read an estimate of a share or a difference of shares; one without its chance gets it from its interval."""
    numbers = [at(difference, key) for key in ("value", "low", "high")]
    if not all(isinstance(number, int | float) and isfinite(number) for number in numbers):
        return None
    value, low, high = (100 * (number - middle) for number in numbers)
    chance = p if isinstance(p, int | float) else _chance(value, low, high)
    return Claim(name, value, low, high, chance, int(at(difference, "n") or 0), by)


def _win_rates(report: Report) -> Iterator[Claim]:
    judge = at(report, "win_rate", "judge")
    by = None if judge in (None, "check", "people") else str(judge)
    for name, found, who in (("win_rate", at(report, "win_rate"), by), ("people", at(report, "humans"), None)):
        wins, losses = at(found, "wins"), at(found, "losses")
        sign = sign_test(wins, losses) if isinstance(wins, int) and isinstance(losses, int) else None
        if claim := _claim(name, at(found, "rate"), sign, middle=0.5, by=who):
            yield claim
    balanced = at(report, "style", "explained", "balanced")
    if claim := _claim("win_rate_without_style", balanced, None, middle=0.5, by=by):
        yield claim


def _chance(value: float, low: float, high: float) -> float:
    """Return the normal chance of a value whose 95% interval is this one."""
    error = (high - low) / (2 * NormalDist().inv_cdf(0.975))
    if error <= 0:
        return 1.0
    return 2 * NormalDist().cdf(-abs(value) / error)

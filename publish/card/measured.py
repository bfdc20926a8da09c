"""The report's numbers as the card's tables show them: by what was measured, with intervals."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...evaluate.estimate import Comparison, Estimate
from ...evaluate.report import Report

PREFERS = "prefers what the annotators chose"
CRITERIA = {
    "shape": "answers have the form asked for",
    "label": "answers give a right label",
    "length": "answers are within the length asked for",
    "finished": "answers end by themselves",
    "all": "answers do the job as told, all of it",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """A measurement made on base and tuned model alike."""

    name: str
    of: Comparison
    short: str = ""
    """What the picture calls it; empty for what is not in it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number that has no counterpart for the base model."""

    name: str
    of: Estimate
    signed: bool = False
    """Whether it is a difference."""


def comparisons(report: Report) -> list[Compared]:
    """Return every measurement made on base and tuned model alike but for those of single tags."""
    preference = report.preference
    rows = [
        Compared(f"{PREFERS}, by log-probability per token", preference.normalised, "prefers annotators' choice"),
        Compared(f"{PREFERS}, by summed log-probability (favours short answers)", preference.summed),
    ]
    if preference.matched is not None:
        within = f"{preference.matched_within:.0%}"
        name = f"{PREFERS}, per token, where lengths differ by at most {within}"
        rows.append(Compared(name, preference.matched, "the same, answers equally long"))
    if report.check is not None:
        last = len(report.check.criteria) - 1
        rows += [
            Compared(CRITERIA[part.name], part.rate, "does the job as told" if place == last else "")
            for place, part in enumerate(report.check.criteria)
        ]
    if report.general is not None:
        name = f"something else: answers questions right in `{report.general.data}`"
        rows.append(Compared(name, report.general.accuracy, "something else: general questions"))
    return rows


def by_tag(report: Report) -> list[Compared]:
    """Return the primary measurement on the sealed pairs of each tag."""
    return [Compared(f"{PREFERS}, per token, on `{part.tag}`", part.accuracy) for part in report.preference.slices]


def estimates(report: Report) -> list[Measured]:
    """Return every number that has no counterpart for the base model. The win rate stands apart (`findings`)."""
    preference = report.preference
    return [
        Measured(f"{PREFERS}, by DPO's reward against the base", preference.reward),
        Measured("picking the longer answer gets right", preference.longer),
        Measured("picking the shorter answer gets right", preference.shorter),
        Measured(f"tuned model minus always picking the {preference.best_rule}", preference.over_rule, signed=True),
        Measured("one annotator is expected to get right", preference.ceiling),
        Measured("length of its answers minus the base's, in tokens", report.lengths.difference, signed=True),
    ]


def methods(report: Report) -> list[str]:
    """Return how the intervals of these numbers were made, each way once and without its counts."""
    return sorted({re.sub(r"\d+ ", "", method) for method in _methods(report)})


def _methods(report: Report) -> Iterator[str]:
    for row in (*comparisons(report), *by_tag(report)):
        yield from (part.method for part in (row.of.base, row.of.tuned, row.of.difference))
    yield from (row.of.method for row in estimates(report))
    if report.win_rate is not None:
        yield report.win_rate.rate.method


def number(value: float) -> str:
    """Show three decimals, fewer for large numbers, and never minus nothing."""
    shown = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def bare(estimate: Estimate) -> str:
    """Show a number with its interval."""
    return f"{number(estimate.value)}{interval((estimate.low, estimate.high))}"


def signed(estimate: Estimate) -> str:
    """Show a difference with its sign and its interval."""
    low, high = f"{number(estimate.low)}", f"{number(estimate.high)}"
    return f"{'+' if estimate.value > 0 else ''}{number(estimate.value)} ({low} to {high})"


def interval(ends: tuple[float, float] | list[float] | None) -> str:
    """Show an interval in brackets, with a space before it; nothing where there is none."""
    return f" ({number(ends[0])} to {number(ends[1])})" if ends else ""

"""What a trace is made of: steps, each with what was found there and what came of checking it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["verified", "unchecked", "wrong"]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was computed, or that could not be."""

    mark: Mark
    """`verified` and `wrong` were computed here; `unchecked` says why it couldn't be."""
    what: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One place on the way back."""

    title: str
    facts: Mapping[str, object] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    steps: "tuple[Step, ...]" = ()


def verified(what: str) -> Check:
    """Return what was computed and agrees."""
    return Check("verified", what)


def unchecked(what: str) -> Check:
    """Return what can't be computed here."""
    return Check("unchecked", what)


def wrong(what: str) -> Check:
    """Return what was computed and disagrees."""
    return Check("wrong", what)


def agree(good: bool, what: str, otherwise: str) -> Check:
    """Return one sentence or the other."""
    return verified(what) if good else wrong(otherwise)


def named(ids: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    listed = list(ids)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def count_marks(step: Step) -> dict[Mark, int]:
    """Return how many checks, in all steps, have which mark."""
    found = Counter[Mark]()
    for check in _checks(step):
        found[check.mark] += 1
    return {"verified": found["verified"], "unchecked": found["unchecked"], "wrong": found["wrong"]}


def _checks(step: Step) -> Iterable[Check]:
    yield from step.checks
    for inner in step.steps:
        yield from _checks(inner)

"""What results are made of: a number with its interval, two compared, wins counted, models named, things left out."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "can't tell yet"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval that the data leaves open."""

    value: float
    low: float
    high: float
    n: int
    """How many pairs, answers or questions it rests on."""
    method: str
    """How the interval was made, for example `bootstrap over 41 prompts`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same measurement on the same material for the base and the tuned model."""

    base: Estimate
    tuned: Estimate
    difference: Estimate
    """Tuned minus base, paired."""
    p: float | None
    """Exact two-sided McNemar probability; None where outcomes aren't yes or no."""
    detectable: float | None
    """The smallest difference that material of this size shows in 80% of repetitions; None when nothing varied."""
    verdict: Verdict
    needed: int | None
    """About how many pairs it takes to tell a difference of the size seen; None when none was seen."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Material that a number could not use."""

    reason: str
    ids: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class WinRate:
    """Tuned against base, answer by answer; a tie counts one half."""

    judge: str
    """`check`, or the judge model's name."""
    rate: Estimate
    wins: int
    ties: int
    losses: int
    unscored: int
    """Prompts without a readable verdict in both orders: in none of the other counts."""
    inconsistent: int
    """Ties because the two orders disagreed; always 0 for `check`."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model exactly."""

    name: str
    revision: str
    sha256: str

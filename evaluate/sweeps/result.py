"""A sweep's result: each setting over its seeds, and every two settings against each other.

Shares are in [0, 1], margins in nats, times in seconds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ...runs import write_json
from ..estimate import Estimate, LeftOut

FORMAT = 1
"""Raised whenever a result file of an older prefloop can no longer be read."""
On = Literal["held-out", "sealed"]
Rule = Literal["longer", "shorter"]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One training in numbers."""

    seed: int
    reward: float
    """The share of pairs whose implicit reward (arXiv 2305.18290, eq. 5) is higher for the chosen answer."""
    normalised: float
    """The share of pairs whose chosen answer has the higher log-probability per token."""
    margin: float
    """The mean reward of chosen minus rejected in nats, with beta left out."""
    seconds: float
    steps: int
    adapter_sha256: str
    margins: tuple[float, ...]
    """By pair, in the order of `Sweep.pair_ids`."""


@dataclass(frozen=True, slots=True)
class SettingResult:
    """One setting over all its seeds; every interval holds for other seeds and other prompts."""

    name: str
    label: str
    """The values of everything that the sweep goes over."""
    changes: dict[str, Any]
    seeds: tuple[SeedResult, ...]
    reward: Estimate
    normalised: Estimate
    margin: Estimate
    over_rule: Estimate
    """Reward accuracy minus the better length rule's, on the same pairs."""
    seconds: float
    """A training's, on average."""


@dataclass(frozen=True, slots=True)
class PairTest:
    """Two settings on the same pairs with the same seeds."""

    first: str
    second: str
    seeds: int
    """How many both have."""
    difference: Estimate
    """First minus second, in reward accuracy."""
    p: float
    adjusted: float
    """`p` after Holm's correction for all comparisons of the sweep."""
    more_pairs: int | None
    """About how many pairs would show a difference of this size; None if no number of them would with these seeds."""
    more_seeds: int | None
    """About how many seeds would, on these pairs."""

    def for_(self, name: str) -> Estimate:
        """Return the difference as seen from one of the two settings."""
        found = self.difference
        if name == self.first:
            return found
        return Estimate(-found.value, -found.high, -found.low, found.n, found.method)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep's whole result."""

    format: int
    name: str
    on: On
    openings: int
    """How often the sealed set has been opened, this time included; 0 where another split was measured."""
    training_pairs: int
    pair_ids: tuple[str, ...]
    prompts: int
    base: Estimate
    """The base model's accuracy by log-probability per token; its implicit reward is nothing."""
    rule: Literal["longer", "shorter"]
    """The better rule that reads nothing but lengths, in tokens."""
    by_rule: Estimate
    settings: tuple[SettingResult, ...]
    """The best first."""
    reference: str
    """The setting that the others are compared with: the recipe's own if it is among them, else the first."""
    tests: tuple[PairTest, ...]
    """All pairs of settings."""
    winner: str | None
    """The setting that is better than every other one, if there is one."""
    confidence: float
    failed: dict[str, str]
    """Trainings that came to no end, and why."""
    left_out: tuple[LeftOut, ...]
    train: dict[str, Any]
    """The recipe's training settings, which every setting shares but for its changes."""
    versions: dict[str, str]
    created: str

    @property
    def seeds(self) -> int:
        """The fewest trainings that a setting has."""
        return min(len(setting.seeds) for setting in self.settings)

    def setting(self, name: str) -> SettingResult:
        """Return a setting by name."""
        return next(setting for setting in self.settings if setting.name == name)

    def test(self, one: str, other: str) -> PairTest | None:
        """Return the comparison of two settings; None if they have no seed in common."""
        return find_test(self.tests, one, other)

    def better(self, one: str, other: str) -> bool:
        """Whether a setting is shown to be better than another."""
        return shown_better(self.tests, one, other, self.confidence)


def find_test(tests: Sequence[PairTest], one: str, other: str) -> PairTest | None:
    """Return the comparison of two settings, if there is one."""
    return next((test for test in tests if {test.first, test.second} == {one, other}), None)


def shown_better(tests: Sequence[PairTest], one: str, other: str, confidence: float) -> bool:
    """Whether `one` is ahead by more than chance after Holm; never by a single seed, whose luck nobody knows."""
    test = find_test(tests, one, other)
    return bool(test and test.seeds > 1 and test.adjusted < 1 - confidence and test.for_(one).value > 0)


def write_sweep_json(path: Path, found: Sweep) -> Path:
    """Write the result with every pair's margin, so that anybody can compute it again."""
    return write_json(path, asdict(found))

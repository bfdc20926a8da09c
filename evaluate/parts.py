"""The parts of a report that every evaluation has, or nearly: preferences, the check, lengths, what was sealed, how.

Shares are in [0, 1], lengths are in tokens, log-probabilities and reward margins in nats, times in seconds.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ..collect.item import Message
from .estimate import Comparison, Estimate


@dataclass(frozen=True, slots=True)
class Slice:
    """The primary accuracy on the pairs that carry one tag."""

    tag: str
    accuracy: Comparison
    longer: Estimate
    """The share that picking the longer answer gets right."""


@dataclass(frozen=True, slots=True)
class Preference:
    """How often the models prefer what the annotators chose, on the sealed pairs.

    An equal score counts one half and is listed in `ties`.
    """

    normalised: Comparison
    """Primary: by log-probability per token, defined for base and tuned alike."""
    summed: Comparison
    """By summed log-probability: favours short answers, shown because DPO's reward is made of it."""
    reward: Estimate
    """By DPO's implicit reward against the base (arXiv 2305.18290, eq. 5); the base itself has none."""
    margins: tuple[float, ...]
    """Per pair: implicit reward of chosen minus rejected in nats, with beta left out."""
    longer: Estimate
    """The share that picking the longer answer gets right, in tokens."""
    shorter: Estimate
    best_rule: Literal["longer", "shorter"]
    over_rule: Estimate
    """Tuned minus the better length rule, paired: what the model knows beyond length."""
    matched: Comparison | None
    """Primary accuracy on the pairs whose lengths differ by at most `matched_within`; None with fewer than 10."""
    matched_within: float
    """The largest difference in length, as a share of the longer answer."""
    ceiling: Estimate
    """The accuracy one annotator is expected to reach: the mean weight of the pairs."""
    slices: tuple[Slice, ...]
    ties: dict[str, int]
    """How many pairs each rule could not order."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing the task check asks of an answer."""

    name: str
    """`shape`, `label`, `length`, `finished` or `all`."""
    rate: Comparison


@dataclass(frozen=True, slots=True)
class Check:
    """The share of generated answers that do the task as told, decided without a judge."""

    criteria: tuple[Criterion, ...]
    """The last one is `all`: every criterion at once."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of the generated answers to the sealed prompts, in tokens."""

    base: tuple[int, ...]
    tuned: tuple[int, ...]
    difference: Estimate
    """Mean of tuned minus base, paired."""
    cut_base: int
    """Answers that ran into `max_new_tokens`."""
    cut_tuned: int


@dataclass(frozen=True, slots=True)
class General:
    """Multiple-choice accuracy on something the training was not about: what the tuning cost."""

    data: str
    """The file's name."""
    sha256: str
    accuracy: Comparison


@dataclass(frozen=True, slots=True)
class Example:
    """A sealed prompt with both models' answers."""

    prompt_id: str
    prompt: tuple[Message, ...]
    base: str
    tuned: str
    tags: tuple[str, ...]
    outcome: str | None = None
    """Of the comparison: `win`, `tie`, `inconsistent`, `loss` or `unscored` for the tuned model; None without one."""


@dataclass(frozen=True, slots=True)
class SealedSet:
    """What was set apart before anyone labelled."""

    pairs: int
    prompts: int
    sha256: str
    """Over the pairs' ids."""
    openings: int
    """How often it has been opened for evaluation, this time included."""


@dataclass(frozen=True, slots=True)
class HowMade:
    """What it takes to make the same report again."""

    versions: dict[str, str]
    settings: dict[str, Any]
    seed: int
    seconds: dict[str, float]
    """Per part of the evaluation."""
    created: str
    """ISO 8601, UTC."""

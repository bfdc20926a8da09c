"""What another wording of the same questions does to the score."""

from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict

from ..estimate import Estimate, LeftOut, ModelIdentity
from ..statistics import Decision


@dataclass(frozen=True, slots=True)
class Variant:
    """One wording."""

    name: str
    example: str
    """The first question in it."""
    base: Estimate
    tuned: Estimate | None
    decision: Decision | None
    """Tuned minus base on the same questions, corrected for the wordings looked at; None with one model."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far one model's score depends on the wording."""

    mean: float
    """Over the wordings."""
    deviation: float
    """Standard deviation over the wordings."""
    highest: float
    lowest: float
    best: str
    """The wording with the highest score."""
    worst: str
    gap: Estimate
    """Best minus worst; its interval resamples questions."""
    chance_gap: float
    """The gap to expect if no wording were better than another: each question's scores dealt out to the wordings
    anew. A largest difference of many is never 0, and here it can be above the gap seen."""
    p: float
    """How often such a deal shows a gap at least as large as the one seen."""


@dataclass(frozen=True, slots=True)
class Flips:
    """In how many wordings which model is ahead."""

    tuned_ahead: int
    base_ahead: int
    even: int
    shown_better: int
    """Wordings in which the tuned model is better by more than chance."""
    shown_worse: int

    @property
    def flipped(self) -> bool:
        """Whether it depends on the wording who is ahead."""
        return self.tuned_ahead > 0 and self.base_ahead > 0


@dataclass(frozen=True, slots=True)
class Formats:
    """A whole audit."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    data: str
    data_sha256: str
    questions: int
    models: tuple[ModelIdentity, ...]
    """The model, or base and tuned."""
    variants: tuple[Variant, ...]
    base: Spread
    tuned: Spread | None
    flips: Flips | None
    left_out: tuple[LeftOut, ...]
    """Questions that could not be asked in every wording."""
    settings: dict[str, Any]
    confidence: float
    seconds: float
    created: str
    """ISO 8601, UTC."""

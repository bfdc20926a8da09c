"""What was found out about style and substance. Shares are in [0, 1]; differences are tuned minus base."""

from dataclasses import dataclass
from typing import Literal

from ..estimate import Comparison, Estimate, LeftOut

Kind = Literal["substance", "both", "style", "no win", "can't tell yet"]
"""What the win rate is made of. `no win`: it isn't shown to be above one half."""


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """One thing that answers have more or less of."""

    name: str
    """`tokens`, `characters`, `headers`, `lists` or `bold`."""
    base: float
    """Mean an answer."""
    tuned: float
    difference: Estimate


@dataclass(frozen=True, slots=True)
class FeatureWeight:
    """What the judge pays for a feature."""

    name: str
    """`length`, `headers`, `lists` or `bold`."""
    logits: Estimate
    """For a typical difference (root mean square), the others and the model held equal."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The prompts on which both models' answers look most alike."""

    prompts: tuple[str, ...]
    """Their ids."""
    length: float
    """The largest difference in length among them: (tuned - base) / (tuned + base), without its sign."""
    lean: float
    """The mean of the same, with its sign: how much longer the tuned model's answers still are."""
    win_rate: Estimate
    passed: Comparison | None
    """The task check, every criterion at once."""
    right: Comparison | None
    """Right answers."""


@dataclass(frozen=True, slots=True)
class RightAnswers:
    """How often an answer is exactly right."""

    rate: Comparison
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refusing what should be refused, and nothing else."""

    over: Comparison | None
    """The share refused of what should be answered; None without such prompts."""
    under: Comparison | None
    """The share answered of what should be refused; None without such prompts."""
    detector: str
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The win rate in two parts (`decomposition.Decomposition`)."""

    balanced: Estimate
    """The win rate if each difference in style were as likely the other way round."""
    style: Estimate
    """Raw minus balanced."""
    share: Estimate | None
    """Of what the raw rate is above or below one half; None where the rate's interval holds one half."""
    weights: tuple[FeatureWeight, ...]
    guessed: Estimate | None
    """The share of decided comparisons whose winner style alone names."""


@dataclass(frozen=True, slots=True)
class Point:
    """One prompt in the plot."""

    prompt_id: str
    length: float
    """Tuned minus base, in tokens."""
    preference: float


@dataclass(frozen=True, slots=True)
class StyleFindings:
    """Style or substance, for one judge's preferences."""

    kind: Kind
    judge: str
    """Who preferred: a judge model's name, `check`, or `people`."""
    prompts: int
    """With a preference."""
    win_rate: Estimate
    length_controlled: Estimate | None
    """If both answers were equally long; None where it can't be fitted."""
    style_controlled: Estimate | None
    """At equal length, headers, lists and bold (Bradley-Terry); None where it can't be fitted."""
    explained: Explained | None
    """None where nothing tells style and substance apart."""
    features: tuple[FeatureChange, ...]
    matched: Matched | None
    """None with fewer than `measure.MATCHED` alike prompts."""
    right: RightAnswers | None
    refusals: Refusals | None
    points: tuple[Point, ...]
    caveats: tuple[str, ...]
    """Reasons to distrust these numbers."""
    left_out: tuple[LeftOut, ...]

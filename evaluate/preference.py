"""How often a model prefers the answer that the annotators chose, and how much of that is mere length."""

from collections.abc import Sequence
from typing import Literal

from ..collect.pair import PreferencePair
from .estimate import Comparison
from .likelihood import PairScore
from .parts import Preference, Slice
from .statistics import Plan, compare, estimate_difference, estimate_mean, estimate_share

MATCHED_WITHIN = 0.2
"""Answers count as equally long when their tokens differ by at most this share of the longer one."""
MATCHED_LEAST = 10
"""With fewer such pairs an accuracy would say nothing."""


def half_point(chosen: float, rejected: float) -> float:
    """Score one pair: 1 when the chosen answer is ahead, 0 when it is behind, one half when they are equal."""
    return 0.5 if chosen == rejected else float(chosen > rejected)


def normalised(scores: Sequence[PairScore]) -> list[float]:
    """Score pairs by log-probability per token."""
    return [half_point(score.chosen.mean, score.rejected.mean) for score in scores]


def summed(scores: Sequence[PairScore]) -> list[float]:
    """Score pairs by summed log-probability."""
    return [half_point(score.chosen.logp, score.rejected.logp) for score in scores]


def reward_margins(base: Sequence[PairScore], tuned: Sequence[PairScore]) -> list[float]:
    """Return each pair's implicit reward of chosen minus rejected, in nats with beta left out.

    The inside of the sigmoid of DPO's loss (Rafailov et al. 2023, arXiv 2305.18290, eq. 7), with the rewards of eq. 5.
    """
    return [
        (after.chosen.logp - before.chosen.logp) - (after.rejected.logp - before.rejected.logp)
        for before, after in zip(base, tuned, strict=True)
    ]


def longer(scores: Sequence[PairScore]) -> list[float]:
    """Score the rule that picks the answer with more tokens."""
    return [half_point(score.chosen.tokens, score.rejected.tokens) for score in scores]


def measure_preference(
    pairs: Sequence[PreferencePair], base: Sequence[PairScore], tuned: Sequence[PairScore], plan: Plan
) -> Preference:
    """Compare both models' preferences with the annotators', index by index.

    Args:
        pairs: At least one sealed pair.
        base: The pairs' scores under the base model.
        tuned: The pairs' scores under the tuned model.
        plan: How intervals are made; they are resampled by prompt.
    """
    clusters = [pair.prompt_id for pair in pairs]
    before, after = normalised(base), normalised(tuned)
    margins = reward_margins(base, tuned)
    rewarded, long = [half_point(margin, 0.0) for margin in margins], longer(base)
    best_rule: Literal["longer", "shorter"] = "longer" if sum(long) >= len(long) / 2 else "shorter"
    short = [1 - score for score in long]
    return Preference(
        normalised=compare(before, after, clusters, plan),
        summed=compare(summed(base), summed(tuned), clusters, plan),
        reward=estimate_share(rewarded, clusters, plan),
        margins=tuple(margins),
        longer=estimate_share(long, clusters, plan),
        shorter=estimate_share(short, clusters, plan),
        best_rule=best_rule,
        over_rule=estimate_difference(after, long if best_rule == "longer" else short, clusters, plan),
        matched=_matched(base, before, after, clusters, plan),
        matched_within=MATCHED_WITHIN,
        ceiling=estimate_mean([pair.weight for pair in pairs], clusters, plan),
        slices=tuple(_slices(pairs, before, after, long, plan)),
        ties=_ties({"normalised base": before, "normalised tuned": after, "reward": rewarded, "length": long}),
    )


def _matched(
    scores: Sequence[PairScore], before: list[float], after: list[float], clusters: list[str], plan: Plan
) -> Comparison | None:
    kept = [index for index, score in enumerate(scores) if _length_gap(score) <= MATCHED_WITHIN]
    if len(kept) < MATCHED_LEAST:
        return None
    first, second = _take(kept, before, after)
    return compare(first, second, [clusters[index] for index in kept], plan)


def _length_gap(score: PairScore) -> float:
    lengths = score.chosen.tokens, score.rejected.tokens
    return (max(lengths) - min(lengths)) / max(lengths)


def _slices(
    pairs: Sequence[PreferencePair], before: list[float], after: list[float], long: list[float], plan: Plan
) -> list[Slice]:
    def one(tag: str) -> Slice:
        kept = [index for index, pair in enumerate(pairs) if tag in pair.tags]
        clusters = [pairs[index].prompt_id for index in kept]
        first, second, length = _take(kept, before, after, long)
        return Slice(tag, compare(first, second, clusters, plan), estimate_share(length, clusters, plan))

    return [one(tag) for tag in sorted({tag for pair in pairs for tag in pair.tags})]


def _take(kept: Sequence[int], *columns: list[float]) -> tuple[list[float], ...]:
    return tuple([column[index] for index in kept] for column in columns)


def _ties(columns: dict[str, list[float]]) -> dict[str, int]:
    return {name: scores.count(0.5) for name, scores in columns.items()}

"""Candidates in order, with what the examples leave open: shares, differences, and the ranks that each may have.

Any two candidates are compared on the same examples (`evaluate.statistics.paired_difference`), and Holm's correction is
over all pairs, not only those with the leader: the leader was picked by the same numbers (Hsu 1996, Multiple
Comparisons, chapter 4). A rank's interval is the bootstrap's over examples (Goldstein and Spiegelhalter 1996, JRSS A
159, 385-443), widened to every rank that the corrected comparisons leave open: where few examples are alike, no
resample differs, and the bootstrap alone would claim certainty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from ...evaluate.estimate import Estimate
from ...evaluate.statistics import Decision, Plan, decide_all, estimate_mean, estimate_share, paired_difference
from ...evaluate.win_rate.resampling import resampled_weights
from .settings import TryOutSettings

Array = Any
What = Literal["right", "judged", "preferred"]

Scores = Mapping[str, Mapping[str, float]]
"""Each candidate's scores in [0, 1] by example."""
Pairs = Mapping[tuple[str, str], Mapping[str, tuple[float, float]]]
"""Two candidates' scores against each other, by example."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate's place."""

    name: str
    share: Estimate
    rank: int
    """By the share alone; equal shares are equal ranks."""
    rank_low: int
    """The best rank that the examples leave open."""
    rank_high: int
    """The worst."""
    first: float
    """In how many resamples it is ahead of all others, or level with the foremost."""
    to_best: Decision | None
    """This candidate minus the leader; None for the leader."""
    rating: float | None = None
    """On the scale of Bradley and Terry, where a judge compared answers."""
    rating_low: float | None = None
    rating_high: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """All candidates by one measurement, best first."""

    what: What
    rows: tuple[Ranked, ...]
    examples: int
    """On which all of them are compared."""
    comparisons: int
    """Pairs of candidates that the correction is for."""
    method: str
    left_out: tuple[str, ...]
    """Examples that could not be scored for every candidate."""


def rank(
    what: What, scores: Scores, groups: Mapping[str, str], settings: TryOutSettings, *, pairs: Pairs | None = None
) -> Ranking | None:
    """Rank candidates by scores on the examples that all of them have; None with fewer than two such examples.

    Args:
        what: What the scores are.
        scores: By candidate, then by example. A candidate without any score is not ranked.
        groups: By example: what stands or falls together.
        settings: Confidence, resamples and seed.
        pairs: Where two candidates were compared directly: that comparison in the place of their scores.
    """
    scores = {name: each for name, each in scores.items() if each}
    asked = list(dict.fromkeys(example for each in scores.values() for example in each))
    kept = [example for example in asked if all(example in each for each in scores.values())]
    if not scores or len(kept) < 2:
        return None
    names, clusters = list(scores), [groups[example] for example in kept]
    plan = Plan(confidence=settings.confidence, seed=settings.seed, unit="examples")
    table = {name: [scores[name][example] for example in kept] for name in names}
    shares = {name: _share(table[name], clusters, plan) for name in names}
    order = sorted(names, key=lambda name: (-shares[name].value, names.index(name)))
    decisions = _decide(order, pairs or _paired(table, kept), groups, settings)
    lows, highs, first = _ranks([table[name] for name in order], clusters, settings)
    rows = []
    for place, name in enumerate(order):
        best, worst = _left_open(name, order, decisions)
        level = sum(shares[other].value > shares[name].value + 1e-12 for other in order)
        to_best = decisions.get((name, order[0]))
        ends = min(lows[place], best), max(highs[place], worst)
        rows.append(Ranked(name, shares[name], 1 + level, *ends, first[place], to_best))
    return Ranking(
        what=what,
        rows=tuple(rows),
        examples=len(kept),
        comparisons=len(order) * (len(order) - 1) // 2,
        method=f"{settings.resamples} resamples of {len(set(clusters))} examples or groups",
        left_out=tuple(example for example in asked if example not in kept),
    )


def _paired(table: Mapping[str, Sequence[float]], examples: Sequence[str]) -> Pairs:
    return {
        (a, b): dict(zip(examples, zip(table[a], table[b], strict=True), strict=True))
        for a, b in combinations(table, 2)
    }


def _decide(
    order: Sequence[str], pairs: Pairs, groups: Mapping[str, str], settings: TryOutSettings
) -> dict[tuple[str, str], Decision]:
    """Decide on every pair of candidates, the one behind minus the one ahead, corrected for all of them."""
    found = {}
    for ahead, behind in combinations(order, 2):
        points = pairs.get((ahead, behind)) or {
            example: (ours, theirs) for example, (theirs, ours) in pairs.get((behind, ahead), {}).items()
        }
        if not points:
            continue
        clusters = [groups[example] for example in points]
        found[behind, ahead] = paired_difference(
            [theirs for _, theirs in points.values()],
            [ours for ours, _ in points.values()],
            # Named only where they are groups: single right and wrong answers also have to pass McNemar's exact test.
            clusters if len(set(clusters)) < len(clusters) else None,
            confidence=settings.confidence,
        )
    decided = decide_all({str(number): difference for number, difference in enumerate(found.values())})
    return dict(zip(found, decided.values(), strict=True))


def _ranks(
    table: Sequence[Sequence[float]], clusters: Sequence[str], settings: TryOutSettings
) -> tuple[list[int], list[int], list[float]]:
    """Return each candidate's best and worst rank in the central resamples, and the share in which it leads."""
    import numpy as np

    scores = np.asarray(table, dtype=float)
    best, worst = [], []
    for weights in resampled_weights(clusters, settings.resamples, settings.seed):
        means = scores @ weights / weights.sum()
        above = (means[None, :] > means[:, None] + 1e-12).sum(axis=1)
        level = (np.abs(means[None, :] - means[:, None]) <= 1e-12).sum(axis=1)
        best.append(1 + above)
        worst.append(above + level)
    tail = (1 - settings.confidence) / 2
    lows = np.quantile(np.array(best), tail, axis=0, method="lower")
    highs = np.quantile(np.array(worst), 1 - tail, axis=0, method="higher")
    leads = (np.array(best) == 1).mean(axis=0)
    return [int(low) for low in lows], [int(high) for high in highs], [float(lead) for lead in leads]


def _left_open(name: str, order: Sequence[str], decisions: Mapping[tuple[str, str], Decision]) -> tuple[int, int]:
    """Return the ranks that remain when only what was shown counts."""
    ahead = behind = 0
    for other in order:
        verdict = _verdict(decisions, name, other)
        ahead += verdict == "worse"
        behind += verdict == "better"
    return 1 + ahead, len(order) - behind


def _verdict(decisions: Mapping[tuple[str, str], Decision], name: str, other: str) -> str:
    if (name, other) in decisions:
        return decisions[name, other].verdict
    if (other, name) in decisions:
        return {"better": "worse", "worse": "better"}.get(decisions[other, name].verdict, "")
    return ""


def _share(scores: Sequence[float], clusters: Sequence[str], plan: Plan) -> Estimate:
    """Wilson for shares of right answers; the bootstrap where scores lie between 0 and 1."""
    if set(scores) <= {0.0, 1.0} or len(set(scores)) == 1:
        return estimate_share(scores, clusters, plan)
    return estimate_mean(scores, clusters, plan)

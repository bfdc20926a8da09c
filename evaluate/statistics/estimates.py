"""What a report prints: shares, means and differences with intervals by Wilson or the bootstrap, and a verdict.

Pairs about one prompt stand or fall together, so whatever is resampled or squared here goes by cluster: the prompt.
Sources: Wilson 1927 (JASA 22, 209-212); Efron and Tibshirani 1993, chapter 13, for the percentile bootstrap; Miller
2024, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 2.2 (clusters), 4.2 (paired), 5 (power).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist

from ...collect.intervals import standard_error, wilson
from ..estimate import Comparison, Estimate, Verdict
from .mcnemar import mcnemar
from .power import minimum_detectable_effect


@dataclass(frozen=True, slots=True)
class Plan:
    """How intervals are made."""

    samples: int = 10_000
    confidence: float = 0.95
    seed: int = 0
    unit: str = "prompts"
    """What a cluster is, for the words in `Estimate.method`."""

    @property
    def z(self) -> float:
        """The two-sided normal quantile: 1.96 at 95%."""
        return NormalDist().inv_cdf((1 + self.confidence) / 2)


def bootstrap_mean(values: Sequence[float], clusters: Sequence[str], plan: Plan) -> tuple[float, float]:
    """Return the percentile interval of the mean of `values`, whole clusters resampled with replacement."""
    import numpy as np

    sums, counts = _by_cluster(values, clusters)
    rng = np.random.default_rng(plan.seed)
    # In slices: 10,000 resamples of 10,000 clusters at once would take 800 MB.
    step = max(1, 2_000_000 // len(sums))
    means = []
    for start in range(0, plan.samples, step):
        drawn = rng.integers(len(sums), size=(min(step, plan.samples - start), len(sums)))
        means.append(np.asarray(sums)[drawn].sum(1) / np.asarray(counts)[drawn].sum(1))
    tail = (1 - plan.confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def estimate_share(scores: Sequence[float], clusters: Sequence[str], plan: Plan) -> Estimate:
    """Estimate the mean of scores in [0, 1].

    Wilson where every score has a cluster of its own, the cluster bootstrap otherwise. When all scores are equal no
    resample differs, and the bootstrap would claim certainty: then it is Wilson on the number of clusters.
    """
    value, groups = _mean(scores), len(set(clusters))
    if groups == len(scores) or len(set(scores)) == 1:
        return Estimate(value, *wilson(value, groups, plan.confidence), len(scores), f"Wilson, {groups} {plan.unit}")
    return estimate_mean(scores, clusters, plan)


def estimate_mean(values: Sequence[float], clusters: Sequence[str], plan: Plan) -> Estimate:
    """Estimate a mean of any unit by the cluster bootstrap."""
    low, high = bootstrap_mean(values, clusters, plan)
    return Estimate(_mean(values), low, high, len(values), f"bootstrap over {len(set(clusters))} {plan.unit}")


def estimate_difference(
    ours: Sequence[float], theirs: Sequence[float], clusters: Sequence[str], plan: Plan
) -> Estimate:
    """Estimate the paired difference (ours minus theirs) of scores in [0, 1].

    Where no score changed, the bootstrap would claim a difference of exactly 0; then the interval reaches as far as
    Wilson's upper limit for the share of prompts that could still change.
    """
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    if any(changes):
        return estimate_mean(changes, clusters, plan)
    groups = len(set(clusters))
    limit = wilson(0.0, groups, plan.confidence)[1]
    return Estimate(0.0, -limit, limit, len(changes), f"nothing changed, Wilson's limit for {groups} {plan.unit}")


def detectable(error: float, plan: Plan) -> float:
    """Return the smallest true difference that shows with `POWER` at this standard error (Miller 2024, eq. 10)."""
    return minimum_detectable_effect(1, error**2, alpha=1 - plan.confidence)


def compare(base: Sequence[float], tuned: Sequence[float], clusters: Sequence[str], plan: Plan) -> Comparison:
    """Compare scores in [0, 1] of the base and the tuned model on the same material, index by index.

    The verdict wants both the interval and McNemar's test to exclude chance: on few pairs either alone says "better"
    too often.
    """
    difference = estimate_difference(tuned, base, clusters, plan)
    p = mcnemar(tuned, base)
    error = standard_error([a - b for a, b in zip(tuned, base, strict=True)], clusters)
    smallest = detectable(error, plan) if 0 < error < float("inf") else None
    return Comparison(
        base=estimate_share(base, clusters, plan),
        tuned=estimate_share(tuned, clusters, plan),
        difference=difference,
        p=p,
        detectable=smallest,
        verdict=judge(difference, p, plan),
        needed=ceil(len(base) * (smallest / difference.value) ** 2) if smallest and difference.value else None,
    )


def judge(difference: Estimate, p: float, plan: Plan) -> Verdict:
    """Put a difference into words."""
    if p < 1 - plan.confidence and difference.low > 0:
        return "better"
    if p < 1 - plan.confidence and difference.high < 0:
        return "worse"
    return "can't tell yet"


def _by_cluster(values: Sequence[float], clusters: Sequence[str]) -> tuple[list[float], list[int]]:
    sums: dict[str, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    counts = Counter(clusters)
    return list(sums.values()), [counts[cluster] for cluster in sums]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

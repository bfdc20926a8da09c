"""Means over seeds and prompts together: what another seed, and other prompts, would have changed.

A setting is trained with K seeds and every one of its models is measured on the same prompts, so seeds and prompts are
crossed random effects. The variance of the mean is estimated from the two-way table of seed by cluster (one prompt, or
whatever stands or falls together), as for a two-way layout without replication (Searle, Casella and McCulloch 1992,
Variance Components, chapter 4):

    V = V_seeds + V_clusters - V_both,    V_x = MS_x / (K C)

with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2, 110-114). V_both is in each of the other two and
must not be counted twice; V is never taken below either of them. That the training's own randomness belongs into the
interval is the point of Bouthillier et al. 2021 (arXiv 2103.03098); clusters and paired differences are Miller's (2024,
arXiv 2411.00640, sections 2.2 and 4.2), to whose formula this comes down with one seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from ...collect.intervals import wilson
from ..estimate import Estimate
from .distributions import student_quantile, student_tails
from .estimates import Plan
from .means import Difference
from .power import minimum_detectable_effect


@dataclass(frozen=True, slots=True)
class Crossed:
    """The mean of a table of seeds by pairs, and where its variance comes from."""

    mean: float
    variance: float
    """Of the mean, over repetitions with other seeds and other clusters."""
    freedom: float
    """Satterthwaite's degrees of freedom of `variance`."""
    seeds: int
    clusters: int
    pairs: int
    from_seeds: float
    """The variance component of the seed: how much trainings differ that see other random numbers."""
    from_clusters: float
    """The variance component of the cluster."""
    from_both: float
    """What is left: seeds that differ on some clusters only."""

    def variance_with(self, *, seeds: float, clusters: float) -> float:
        """Return the variance that the mean would have with so many seeds and clusters."""
        return self.from_seeds / seeds + self.from_clusters / clusters + self.from_both / (seeds * clusters)


def cross(table: Sequence[Sequence[float]], clusters: Sequence[str]) -> Crossed:
    """Take the mean of `table` (seeds, pairs), where pair i belongs to `clusters[i]`.

    With one seed `from_seeds` is 0, because nothing is known of it. At least two clusters are needed.
    """
    import numpy as np

    scores = np.asarray(table, dtype=float)
    _, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    seeds, groups, mean = len(scores), int(index.max()) + 1, float(scores.mean())
    cells = np.zeros((seeds, groups))
    for row, values in zip(cells, scores, strict=True):
        np.add.at(row, index, values - mean)
    cells *= groups / scores.shape[1]  # each cluster's pull on the mean: large clusters weigh more
    rows, columns = cells.mean(axis=1, keepdims=True), cells.mean(axis=0, keepdims=True)
    of_clusters = seeds * float((columns**2).sum()) / (groups - 1)
    if seeds == 1:
        variance = of_clusters / groups
        return Crossed(mean, variance, groups - 1, 1, groups, scores.shape[1], 0.0, of_clusters, 0.0)
    of_seeds = groups * float((rows**2).sum()) / (seeds - 1)
    of_both = float(((cells - rows - columns) ** 2).sum()) / ((seeds - 1) * (groups - 1))
    parts = (of_seeds, seeds - 1), (of_clusters, groups - 1), (of_both, (seeds - 1) * (groups - 1))
    total = max(of_seeds + of_clusters - of_both, of_seeds, of_clusters)
    spread = sum(square**2 / freedom for square, freedom in parts)
    return Crossed(
        mean=mean,
        variance=total / (seeds * groups),
        freedom=total**2 / spread if spread else groups - 1,
        seeds=seeds,
        clusters=groups,
        pairs=scores.shape[1],
        from_seeds=max(0.0, (of_seeds - of_both) / groups),
        from_clusters=max(0.0, (of_clusters - of_both) / seeds),
        from_both=of_both,
    )


def share_over_seeds(table: Sequence[Sequence[float]], clusters: Sequence[str], plan: Plan) -> Estimate:
    """Estimate the mean of scores in [0, 1]: Wilson's interval on as many trials as the variance is worth.

    The normal quantile in it is replaced by Student's. Where nothing varies each cluster counts as one trial.
    """
    found = cross(table, clusters)
    spread = found.mean * (1 - found.mean)
    trials = spread / found.variance if spread and found.variance else float(found.clusters)
    quantile = student_quantile((1 + plan.confidence) / 2, found.freedom)
    # In Wilson's formula z stands only as z²/n, so fewer trials do what a larger quantile would.
    low, high = wilson(found.mean, trials * (plan.z / quantile) ** 2, plan.confidence)
    return Estimate(found.mean, low, high, found.pairs, f"Wilson on {_how(found, plan)}")


def mean_over_seeds(table: Sequence[Sequence[float]], clusters: Sequence[str], plan: Plan) -> Estimate:
    """Estimate a mean of any unit, or a paired difference: Student's interval."""
    found = cross(table, clusters)
    if not found.variance:  # no seed changed anything on any pair: as in `estimate_difference`
        limit = wilson(0.0, found.clusters, plan.confidence)[1]
        method = f"nothing varied, Wilson's limit for {found.clusters} {plan.unit}"
        return Estimate(found.mean, found.mean - limit, found.mean + limit, found.pairs, method)
    half = student_quantile((1 + plan.confidence) / 2, found.freedom) * sqrt(found.variance)
    return Estimate(found.mean, found.mean - half, found.mean + half, found.pairs, f"Student on {_how(found, plan)}")


def difference_over_seeds(
    table: Sequence[Sequence[float]], clusters: Sequence[str] | None = None, *, confidence: float = 0.95
) -> Difference:
    """Return the mean of `table` (seeds, items), each row one seed's paired differences, for other seeds and items.

    Where both models were trained with seeds, row k holds the difference of their k-th ones. With one seed the interval
    is that of this very training: what another would have changed is in nobody's numbers.

    Raises:
        ValueError: no seeds, fewer than two items or clusters, rows of unequal length, or not one cluster an item.
    """
    widths = {len(row) for row in table}
    of = [str(item) for item in range(max(widths, default=0))] if clusters is None else clusters
    if widths != {len(of)} or len(set(of)) < 2:
        raise ValueError(
            f"a row a seed with at least two items or clusters is needed, all on the same items: got rows of "
            f"{sorted(widths)} and {len(set(of))} clusters for {len(of)} items"
        )
    found = cross(table, of)
    plan = Plan(confidence=confidence)
    interval, error = mean_over_seeds(table, of, plan), sqrt(found.variance)
    return Difference(
        found.mean, error, interval.low, interval.high, found.pairs, found.clusters, error, found.freedom, confidence,
        chance(found), None, found.from_seeds / found.seeds,
    )  # fmt: skip


def chance(found: Crossed) -> float:
    """Return the two-sided probability of a mean this far from 0 by chance."""
    if not found.variance:
        return 1.0 if not found.mean else 2 * 0.5**found.clusters  # a sign test: all clusters on one side
    return student_tails(found.mean / sqrt(found.variance), found.freedom)


def more_pairs(found: Crossed, plan: Plan, comparisons: int) -> int | None:
    """Return how many pairs in all would show the difference seen with `POWER`; None if no number of them would.

    Bonferroni's bound stands for Holm's correction: `confidence` is shared by all comparisons.
    """
    room = _wanted(found, plan, comparisons) - found.from_seeds / found.seeds
    if room <= 0:
        return None
    return ceil((found.from_clusters + found.from_both / found.seeds) / room * found.pairs / found.clusters)


def more_seeds(found: Crossed, plan: Plan, comparisons: int) -> int | None:
    """Return how many seeds a setting would show the difference seen with `POWER`; None if no number of them would."""
    room = _wanted(found, plan, comparisons) - found.from_clusters / found.clusters
    if room <= 0 or found.seeds == 1:
        return None
    return ceil((found.from_seeds + found.from_both / found.clusters) / room)


def _wanted(found: Crossed, plan: Plan, comparisons: int) -> float:
    """Return the variance at which the difference seen would show."""
    return (found.mean / minimum_detectable_effect(1, 1.0, alpha=(1 - plan.confidence) / comparisons)) ** 2


def _how(found: Crossed, plan: Plan) -> str:
    seeds = "1 seed (its own variance unknown)" if found.seeds == 1 else f"{found.seeds} seeds"
    return f"{found.clusters} {plan.unit} x {seeds}"

"""Numbers with intervals that respect clusters: votes on one prompt, or from one ranking, stand or fall together.

Sources: Wilson 1927 (JASA 22, 209-212); Korn and Graubard 1998 (Survey Methodology 24, 193-201) for the effective
number of trials; Efron and Tibshirani 1993, chapter 13, for the percentile bootstrap; Miller 2024, "Adding Error Bars
to Evals" (arXiv 2411.00640), section 2.2, for the clustered standard error.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist
from typing import Any

Array = Any
"""A numpy array; numpy itself is imported only where it is used."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, its 95% interval, and how many observations stand behind it."""

    value: float
    low: float
    high: float
    n: int


def share(scores: Sequence[float], clusters: Sequence[str] | None = None) -> Figure | None:
    """Return the mean of scores in [0, 1] with Wilson's interval, or None where there are no scores.

    Clustered scores count as fewer independent ones (`effective`); without clusters every score is its own.
    """
    if not scores:
        return None
    value = sum(scores) / len(scores)
    return Figure(value, *wilson(value, effective(scores, clusters)), len(scores))


def wilson(value: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share in [0, 1] seen in `n` independent trials (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def effective(scores: Sequence[float], clusters: Sequence[str] | None) -> float:
    """Return how many independent trials the scores are worth: p(1-p) over the clustered variance, at most all.

    Where all scores are equal their spread says nothing, and each cluster counts once.
    """
    n, groups = len(scores), len(set(clusters)) if clusters is not None else len(scores)
    value = sum(scores) / n
    spread = value * (1 - value)
    if clusters is None or groups == n:
        return float(n)
    error = standard_error(scores, clusters)
    if spread == 0 or error == 0 or not isfinite(error):
        return float(groups)
    return max(1.0, min(float(n), spread / error**2))


def standard_error(values: Sequence[float], clusters: Sequence[str] | None) -> float:
    """Return the clustered standard error of the mean (Miller 2024, section 2.2), corrected by C/(C-1).

    One cluster alone says nothing about its spread: infinity.
    """
    keys = clusters if clusters is not None else [str(number) for number in range(len(values))]
    sums: dict[str, float] = {}
    for value, cluster in zip(values, keys, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    if len(sums) < 2:
        return float("inf")
    counts, mean = Counter(keys), sum(values) / len(values)
    squares = sum((total - counts[cluster] * mean) ** 2 for cluster, total in sums.items())
    return sqrt(squares * len(sums) / (len(sums) - 1)) / len(values)


def chance_of_share(scores: Sequence[float], clusters: Sequence[str] | None, expected: float) -> float:
    """Return the two-sided probability of a share this far from `expected` (score test, effective number of trials)."""
    value = sum(scores) / len(scores)
    n = effective(scores, clusters)
    return _two_sided((value - expected) / sqrt(expected * (1 - expected) / n))


def chance_of_difference(
    ours: Sequence[float],
    theirs: Sequence[float],
    our_clusters: Sequence[str] | None,
    their_clusters: Sequence[str] | None,
) -> float:
    """Return the two-sided probability that two shares differ so far by chance (pooled z-test, effective trials)."""
    n, m = effective(ours, our_clusters), effective(theirs, their_clusters)
    a, b = sum(ours) / len(ours), sum(theirs) / len(theirs)
    pooled = (n * a + m * b) / (n + m)
    error = sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return _two_sided((a - b) / error) if error else 1.0


def chance_of_mean(values: Sequence[float], clusters: Sequence[str] | None) -> float:
    """Return the two-sided probability of a mean this far from 0 (normal, clustered standard error)."""
    error = standard_error(values, clusters)
    mean = sum(values) / len(values)
    if error == 0:
        return 0.0 if mean else 1.0
    return _two_sided(mean / error)


def holm(chances: Sequence[float]) -> list[float]:
    """Return the probabilities adjusted for how many were looked at (Holm 1979, Scand. J. Statist. 6, 65-70)."""
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    adjusted, worst = [0.0] * len(chances), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(chances) - rank) * chances[index]))
        adjusted[index] = worst
    return adjusted


def bootstrap(
    features: Array,
    statistic: Callable[[Array], Array],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """Return a statistic of sums over items, with the percentile interval over resampled items or clusters.

    Args:
        features: Shape (items, d); whatever adds up over items.
        statistic: Takes sums of shape (r, d) and returns r values, NaN where the statistic is undefined.
        clusters: Items of one cluster are drawn together; by default each item is its own.
        resamples: How many resamples are drawn.
        seed: Of the draws.

    Returns:
        None where the statistic of all items is undefined, or that of every resample.
    """
    import numpy as np

    rows = np.asarray(features, dtype=float)
    if not len(rows):
        return None
    value = float(statistic(rows.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return None
    grouped = _by_cluster(rows, clusters) if clusters is not None else rows
    rng, step = np.random.default_rng(seed), max(1, 4_000_000 // len(grouped))  # in slices: weights take 32 MB at most
    found = []
    for start in range(0, resamples, step):
        drawn = rng.integers(0, len(grouped), (min(step, resamples - start), len(grouped)))
        weights = np.stack([np.bincount(row, minlength=len(grouped)) for row in drawn])
        found.append(statistic(weights @ grouped))
    values = np.concatenate(found)
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return Figure(value, float(low), float(high), len(rows))


def _by_cluster(rows: Array, clusters: Sequence[str]) -> Array:
    import numpy as np

    _, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((index.max() + 1, rows.shape[1]))
    np.add.at(sums, index, rows)
    return sums


def _two_sided(z: float) -> float:
    return 2 * NormalDist().cdf(-abs(z))

"""Means and differences with standard errors, and intervals that hold with few clusters.

Source of the standard errors: Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640): eq. 1 (independent items),
eq. 4 (clusters), eq. 5 (two models on different items), eq. 7 (on the same items), eq. 8 (the same, with clusters).

Eq. 4 is too small with few or unequal clusters, because it takes deviations from the sample's own mean, and 1.96 is the
wrong quantile for it. So an interval is made of a standard error whose square is right on average, and of Student's t
with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2, 110-114), both for clusters whose members
correlate as much as they do here. That is the idea of Bell and McCaffrey (2002, Survey Methodology 28, 169-181), with
the working covariance of Imbens and Kolesár (2016, Review of Economics and Statistics 98, 701-712). With C clusters of
one size it comes down to a factor of C / (C - 1) and C - 1 degrees of freedom.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import hypot, inf, sqrt
from typing import Any

from ...collect.intervals import wilson
from .distributions import student_quantile, student_tails
from .mcnemar import mcnemar

Array = Any
"""A numpy array; numpy itself is imported only where it is used."""


@dataclass(frozen=True, slots=True)
class MeanWithError:
    """A mean, its standard error, and the interval that the data leaves open."""

    value: float
    standard_error: float
    """By the equation of Miller's that fits; infinite where there is only one item or cluster."""
    low: float
    high: float
    n: int
    """Items."""
    clusters: int
    """What was drawn independently: the items themselves where no clusters were named."""
    corrected_error: float
    """What the interval is made of: at least `standard_error`, more with few or unequal clusters."""
    freedom: float
    """Degrees of freedom of `corrected_error`."""
    confidence: float


@dataclass(frozen=True, slots=True)
class Difference(MeanWithError):
    """A mean difference of two models, with the chance of seeing it where there is none."""

    p: float
    """Two-sided."""
    correlation: float | None
    """Between the two models' scores, item by item: the higher, the more pairing helped. None where there is none."""
    seed_variance: float = 0.0
    """The part of `corrected_error` squared that stays however many items there are: what another seed would change."""


@dataclass(frozen=True, slots=True)
class _Error:
    standard: float
    corrected: float
    freedom: float
    clusters: int


def mean_with_error(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, *, confidence: float = 0.95
) -> MeanWithError:
    """Return the mean of `scores` with its standard error (Miller 2024, eq. 1, with clusters eq. 4) and interval.

    The interval is Student's and symmetric: for shares near 0 or 1 on few items `estimate_share` is the better one.
    Where all scores are the same their spread says nothing: then it is Wilson's for scores in [0, 1], and has no width
    for any others.

    Args:
        scores: One an item, in any unit.
        clusters: What each item belongs to (its subject, document, prompt); items of a cluster stand or fall together.
        confidence: Of the interval, in (0, 1).

    Raises:
        ValueError: no scores, a score that is no finite number, or not one cluster a score.
    """
    values = _finite(scores)
    value, error = float(values.mean()), _error(values, clusters)
    low, high = _student(value, error, confidence)
    if error.corrected == 0 and 0 <= value <= 1:
        low, high = wilson(value, error.clusters, confidence)
    return MeanWithError(
        value, error.standard, low, high, len(values), error.clusters, error.corrected, error.freedom, confidence
    )


def paired_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable] | None = None, *, confidence: float = 0.95
) -> Difference:
    """Return the mean of a minus b on the same items, index by index (Miller 2024, eq. 7, with clusters eq. 8).

    `p` is Student's; for scores that are all 0 or 1, without clusters, the larger of that and exact McNemar's. Where no
    difference varies, the interval reaches as far as Wilson's limit for the share of clusters that could differ.

    Args:
        a: Scores of one model.
        b: Scores of the other on the same items in the same order.
        clusters: What each item belongs to; items of a cluster stand or fall together.
        confidence: Of the interval, in (0, 1).

    Raises:
        ValueError: no scores, a score that is no finite number, or unequal lengths.
    """
    ours, theirs = _finite(a), _finite(b)
    if len(ours) != len(theirs):
        raise ValueError(f"paired scores are of the same items: got {len(ours)} and {len(theirs)}")
    changes = ours - theirs
    value, error = float(changes.mean()), _error(changes, clusters)
    low, high = _student(value, error, confidence)
    both = (ours.min(), ours.max(), theirs.min(), theirs.max())
    if error.corrected == 0 and min(both) >= 0 and max(both) <= 1:
        reach = wilson(0.0, error.clusters, confidence)[1] * (1 + abs(value))
        low, high = max(-1.0, value - reach), min(1.0, value + reach)
    p = _chance(value, error)
    if clusters is None and {0.0, 1.0} >= {*ours.tolist(), *theirs.tolist()}:
        p = max(p, mcnemar(ours.tolist(), theirs.tolist()))
    return Difference(
        value, error.standard, low, high, len(changes), error.clusters, error.corrected, error.freedom, confidence,
        p, _correlation(ours, theirs),
    )  # fmt: skip


def unpaired_difference(a: MeanWithError, b: MeanWithError) -> Difference:
    """Return a minus b for models that did not answer the same items, or of which only the means are known.

    Miller 2024, eq. 5, with Welch's degrees of freedom (1947, Biometrika 34, 28-35). Where one of them never varied the
    interval is put together from theirs (Zou and Donner 2008, Statistics in Medicine 27, 1693-1702). `n` and `clusters`
    are the smaller ones. On the same items it only wastes what `paired_difference` knows.

    Raises:
        ValueError: the two have intervals of different confidence.
    """
    if a.confidence != b.confidence:
        raise ValueError(f"intervals of one confidence are needed, got {a.confidence} and {b.confidence}")
    squares = a.corrected_error**2 + b.corrected_error**2
    spread = a.corrected_error**4 / max(a.freedom, 1) + b.corrected_error**4 / max(b.freedom, 1)
    error = _Error(
        sqrt(a.standard_error**2 + b.standard_error**2),
        sqrt(squares),
        squares**2 / spread if 0 < spread < inf else min(a.freedom, b.freedom),
        min(a.clusters, b.clusters),
    )
    value = a.value - b.value
    low, high = _student(value, error, a.confidence)
    if not (a.corrected_error and b.corrected_error):  # one of them never varied: only its interval says what is open
        low, high = value - hypot(a.value - a.low, b.high - b.value), value + hypot(a.high - a.value, b.value - b.low)
    return Difference(
        value, error.standard, low, high, min(a.n, b.n), error.clusters, error.corrected, error.freedom, a.confidence,
        _chance(value, error), None,
    )  # fmt: skip


def _finite(scores: Sequence[float]) -> Array:
    import numpy as np

    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"a list of at least one score is needed, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} of {len(values)} scores are no finite numbers")
    return values


def _error(values: Array, clusters: Sequence[Hashable] | None) -> _Error:
    import numpy as np

    n, rest = len(values), values - values.mean()
    index = np.arange(n) if clusters is None else _numbered(clusters)
    if len(index) != n:
        raise ValueError(f"each score needs its cluster: got {n} scores and {len(index)} clusters")
    sizes = np.bincount(index).astype(float)
    if len(sizes) == 1:
        return _Error(inf, inf, 0.0, 1)
    # Equal scores differ from their mean by rounding only: 0.1 added up thirty times is not 3.
    squares = 0.0 if np.ptp(values) == 0 else float(rest @ rest)
    totals = np.bincount(index, rest) if squares else np.zeros(len(sizes))
    standard = sqrt(max(0.0, squares / (n * (n - 1)) + (float(totals @ totals) - squares) / n**2))
    share, freedom = _few_clusters(sizes, _intraclass(values, index, sizes))
    corrected = sqrt(float(totals @ totals) / share) / n
    return _Error(standard, max(standard, corrected), freedom, len(sizes))


def _numbered(clusters: Sequence[Hashable]) -> Array:
    import numpy as np

    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=int)


def _intraclass(values: Array, index: Array, sizes: Array) -> float:
    """Return how much members of a cluster correlate, in [0, 1], by one-way analysis of variance."""
    import numpy as np

    n, groups = len(values), len(sizes)
    means = np.bincount(index, values) / sizes
    if n == groups:
        return 0.0
    within = float(((values - means[index]) ** 2).sum()) / (n - groups)
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (groups - 1)
    component = (between - within) * (groups - 1) / (n - float(sizes @ sizes) / n)
    return component / (component + within) if component > 0 else 0.0


def _few_clusters(sizes: Array, intraclass: float) -> tuple[float, float]:
    """Return which share of the true variance eq. 4 finds on average, and the degrees of freedom it has.

    The clusters' sums of deviations from the mean have covariance A D A', where D holds the variances of the sums and
    A takes each cluster's share m / n of the total away. Its trace, over D's, is the share; its trace squared, over the
    trace of its square, are Satterthwaite's degrees of freedom. Both are written out: a matrix would take C² numbers.
    """
    n, spread = float(sizes.sum()), sizes * (1 + (sizes - 1) * intraclass)
    whole, mm, md, dd = (float(one) for one in (spread.sum(), sizes @ sizes, sizes @ spread, spread @ spread))
    k = whole / n**2
    trace = whole - 2 * md / n + k * mm
    square = dd - 4 * float(sizes @ spread**2) / n + 2 * k * float(spread @ sizes**2)
    square += 2 * (md**2 + mm * dd) / n**2 - 4 * k * mm * md / n + (k * mm) ** 2
    return trace / whole, trace**2 / square


def _student(value: float, error: _Error, confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence lies between 0 and 1, got {confidence}")
    if error.corrected == inf:
        return -inf, inf
    half = student_quantile((1 + confidence) / 2, error.freedom) * error.corrected
    return value - half, value + half


def _chance(value: float, error: _Error) -> float:
    if error.corrected == 0:
        return 1.0 if not value else min(1.0, 2 * 0.5**error.clusters)  # a sign test: all clusters on one side
    return student_tails(value / error.corrected, max(error.freedom, 1))


def _correlation(a: Array, b: Array) -> float | None:
    import numpy as np

    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else None

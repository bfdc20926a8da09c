"""How far a score depends on the wording, from a table of right and wrong: questions by wordings."""

from collections.abc import Sequence
from typing import Any

from ..estimate import Estimate
from .result import Spread

Array = Any
"""A numpy array; numpy itself is imported only where it is used."""


def spread(
    scores: Sequence[Sequence[float]],
    names: Sequence[str],
    clusters: Sequence[str],
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Spread:
    """Return mean, spread and best-worst gap over wordings.

    The gap's interval is the percentile bootstrap's over whole clusters of questions (Efron and Tibshirani 1993,
    chapter 13). A largest difference is above 0 even where no wording is better; `chance_gap` and `p` say how far,
    by dealing each question's scores out to the wordings anew (Pitman 1937: exchangeable under no effect).

    Args:
        scores: Shape (wordings, questions), in [0, 1].
        names: Of the wordings.
        clusters: What each question belongs to.
        resamples: Of both.
        confidence: Of the interval.
        seed: Of both.

    Raises:
        ValueError: fewer than two wordings, or lengths that don't fit.
    """
    import numpy as np

    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or len(table) < 2 or table.shape != (len(names), len(clusters)):
        raise ValueError(f"scores of at least two wordings on {len(clusters)} questions are needed, got {table.shape}")
    means = table.mean(1)
    gap, rng = float(means.max() - means.min()), np.random.default_rng(seed)
    drawn = _resampled(table, clusters, resamples, rng)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    dealt = _dealt(table, resamples, rng)
    at_least = int((dealt >= gap - 1e-12).sum())
    return Spread(
        mean=float(means.mean()),
        deviation=float(means.std(ddof=1)),
        highest=float(means.max()),
        lowest=float(means.min()),
        best=names[int(means.argmax())],
        worst=names[int(means.argmin())],
        gap=Estimate(gap, float(low), float(high), table.shape[1], f"bootstrap over {len(set(clusters))} clusters"),
        chance_gap=float(dealt.mean()),
        p=(at_least + 1) / (resamples + 1),
    )


def _resampled(table: Array, clusters: Sequence[str], resamples: int, rng: Any) -> Array:
    import numpy as np

    _, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    groups = int(index.max()) + 1
    sums = np.stack([np.bincount(index, row, minlength=groups) for row in table], axis=1)
    sizes = np.bincount(index, minlength=groups)
    gaps = []
    for _ in range(resamples):
        picked = rng.integers(groups, size=groups)
        means = sums[picked].sum(0) / sizes[picked].sum()
        gaps.append(means.max() - means.min())
    return np.asarray(gaps)


def _dealt(table: Array, resamples: int, rng: Any) -> Array:
    import numpy as np

    gaps = []
    for _ in range(resamples):
        means = rng.permuted(table, axis=0).mean(1)
        gaps.append(means.max() - means.min())
    return np.asarray(gaps)

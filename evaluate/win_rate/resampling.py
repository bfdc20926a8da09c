"""The bootstrap over questions, for numbers that are fitted and not just added up.

All comparisons on one question (both orders, several judges or models) are drawn together: they stand or fall together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True, slots=True)
class Rate:
    """A number with its error, all in the unit of `value`."""

    value: float
    standard_error: float
    low: float
    """The lower end of the 95% interval."""
    high: float


def resampled_weights(questions: Sequence[str], resamples: int, seed: int) -> Iterator[Array]:
    """Yield, a resample, how often each comparison was drawn: whole numbers of shape (comparisons,)."""
    import numpy as np

    names, index = np.unique(np.asarray(questions, dtype=object).astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        yield drawn[index].astype(float)


def percentiles(value: float, draws: Array) -> Rate:
    """Return a value with the deviation and the central 95% of its resamples, stretched to hold the value.

    Args:
        value: From all comparisons.
        draws: The same from each resample, shape (resamples,), at least one.
    """
    import numpy as np

    low, high = np.quantile(draws, [0.025, 0.975])
    return Rate(value, float(np.std(draws)), min(float(low), value), max(float(high), value))

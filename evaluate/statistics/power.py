"""What a number of items can show, and how many it takes: to be known before a run.

Source: Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5, equations 9 and 10; appendix C for
clusters, which enter through the variance.
"""

from math import ceil, inf, sqrt

from .distributions import student_quantile
from .means import MeanWithError

POWER = 0.8
"""The share of repetitions in which a difference of the detectable size would show."""


def minimum_detectable_effect(
    n: float,
    variance: float,
    *,
    noise: tuple[float, float] = (0.0, 0.0),
    answers: tuple[int, int] = (1, 1),
    alpha: float = 0.05,
    power: float = POWER,
    freedom: float = inf,
) -> float:
    """Return the smallest true difference that shows with the given power (Miller 2024, eq. 10).

    Args:
        n: Items.
        variance: Of the difference on one item (omega squared), in squared units of the score: `variance_per_item` of
            an earlier run, which holds its clusters, or `share_variance` of a guess.
        noise: What one model's answers to the same item vary by, on average (sigma squared), model A's and B's. 0 where
            `variance` was measured on single answers: then it is in there already.
        answers: To each item, by A and B; their mean is the item's score.
        alpha: Two-sided chance of seeing a difference where there is none.
        power: Chance of seeing a difference of this size.
        freedom: Degrees of freedom of the standard error. With few clusters Student's quantiles take the place of the
            normal ones, which promise too much.

    Raises:
        ValueError: a number is out of its range.
    """
    if n <= 0:
        raise ValueError(f"the number of items must be above 0, got {n}")
    return _reach(alpha, power, freedom) * sqrt(_total(variance, noise, answers) / n)


def items_needed(
    effect: float,
    variance: float,
    *,
    noise: tuple[float, float] = (0.0, 0.0),
    answers: tuple[int, int] = (1, 1),
    alpha: float = 0.05,
    power: float = POWER,
    freedom: float = inf,
) -> int:
    """Return how many items show a true difference of size `effect` (Miller 2024, eq. 9).

    The other way round from `minimum_detectable_effect`, with the same arguments. Where `variance` holds clusters, the
    items are meant to come in clusters of the same sizes.

    Raises:
        ValueError: a number is out of its range.
    """
    if not effect:
        raise ValueError("no number of items shows a difference of 0")
    return ceil(_reach(alpha, power, freedom) ** 2 * _total(variance, noise, answers) / effect**2)


def variance_per_item(found: MeanWithError) -> float:
    """Return the variance that each item of an earlier run brought, its clusters' share included."""
    return found.n * found.corrected_error**2


def share_variance(a: float, b: float, correlation: float = 0.0) -> float:
    """Return the variance of the difference on one item between two models that get shares `a` and `b` right.

    Args:
        a: Expected share in [0, 1].
        b: Expected share in [0, 1].
        correlation: Between the two models' scores item by item; 0 where they don't answer the same items.

    Raises:
        ValueError: a share is outside [0, 1], or no two models with these shares correlate like this.
    """
    if not (0 <= a <= 1 and 0 <= b <= 1):
        raise ValueError(f"shares lie between 0 and 1, got {a} and {b}")
    both = a * b + correlation * sqrt(a * (1 - a) * b * (1 - b))
    if not max(0.0, a + b - 1) - 1e-12 <= both <= min(a, b) + 1e-12:
        raise ValueError(f"scores that are right in {a:g} and {b:g} can't correlate by {correlation:g}")
    return max(0.0, a + b - 2 * both - (a - b) ** 2)


def _reach(alpha: float, power: float, freedom: float) -> float:
    """Return how many standard errors away a detectable difference lies: 2.80 at 5% and 80%."""
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power lie between 0 and 1, got {alpha} and {power}")
    return student_quantile(1 - alpha / 2, freedom) + student_quantile(power, freedom)


def _total(variance: float, noise: tuple[float, float], answers: tuple[int, int]) -> float:
    if min(variance, *noise) < 0 or min(answers) < 1:
        raise ValueError(f"variances are at least 0 and answers at least 1, got {variance}, {noise}, {answers}")
    return variance + noise[0] / answers[0] + noise[1] / answers[1]

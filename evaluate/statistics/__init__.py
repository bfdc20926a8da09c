"""Which of two models is better, and how surely: errors, intervals, tests, and what a number of items can show."""

from ...collect.intervals import holm
from .crossed import (
    Crossed,
    chance,
    cross,
    difference_over_seeds,
    mean_over_seeds,
    more_pairs,
    more_seeds,
    share_over_seeds,
)
from .decisions import Decision, decide, decide_all, say
from .estimates import (
    Plan,
    bootstrap_mean,
    compare,
    detectable,
    estimate_difference,
    estimate_mean,
    estimate_share,
    judge,
)
from .mcnemar import mcnemar
from .means import Difference, MeanWithError, mean_with_error, paired_difference, unpaired_difference
from .power import POWER, items_needed, minimum_detectable_effect, share_variance, variance_per_item

__all__ = [
    "POWER",
    "Crossed",
    "Decision",
    "Difference",
    "MeanWithError",
    "Plan",
    "bootstrap_mean",
    "chance",
    "compare",
    "cross",
    "decide",
    "decide_all",
    "detectable",
    "difference_over_seeds",
    "estimate_difference",
    "estimate_mean",
    "estimate_share",
    "holm",
    "items_needed",
    "judge",
    "mcnemar",
    "mean_over_seeds",
    "mean_with_error",
    "minimum_detectable_effect",
    "more_pairs",
    "more_seeds",
    "paired_difference",
    "say",
    "share_over_seeds",
    "share_variance",
    "unpaired_difference",
    "variance_per_item",
]

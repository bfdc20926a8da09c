"""McNemar's exact test: do two models' yes-or-no outcomes differ by more than chance?"""

from collections.abc import Sequence

from .distributions import sign_test


def mcnemar(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the exact two-sided probability of a split this uneven among the items that changed.

    McNemar 1947 (Psychometrika 12, 153-157). Only the direction of a change counts. It takes items
    as independent, so with several of one cluster it is a little too small: `paired_difference` takes clusters.

    Args:
        a: Scores of one model.
        b: Scores of the other on the same items in the same order.

    Raises:
        ValueError: unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"paired scores are of the same items: got {len(a)} and {len(b)}")
    gained = sum(bool(ours > theirs) for ours, theirs in zip(a, b, strict=True))
    lost = sum(bool(ours < theirs) for ours, theirs in zip(a, b, strict=True))
    return sign_test(gained, lost)

"""A paired result with and without the items that the training data holds."""

from collections.abc import Collection, Mapping

from ..statistics import Plan, compare
from .result import Recomputed


def with_and_without(
    name: str,
    base: Mapping[str, float],
    tuned: Mapping[str, float],
    overlapping: Collection[str],
    plan: Plan,
    clusters: Mapping[str, str] | None = None,
) -> Recomputed:
    """Compare base and tuned model on all items, and on those that the training data does not hold.

    Args:
        name: Of the result.
        base: Scores in [0, 1] by item.
        tuned: The other model's scores of the same items.
        overlapping: Ids of items, or of their clusters, that the training data holds.
        plan: How intervals are made.
        clusters: What an item belongs to (a pair: its prompt); by default each stands for itself.

    Raises:
        ValueError: no items, or the two models' items are not the same.
    """
    if base.keys() != tuned.keys() or not base:
        odd = sorted(base.keys() ^ tuned.keys())[:5]
        raise ValueError(f"{name}: both models need scores on the same items, at least one; not on both: {odd}")
    groups = {item: clusters[item] if clusters else item for item in base}
    held = set(overlapping)
    taken = [item for item in base if item in held or groups[item] in held]
    left = [item for item in base if item not in set(taken)]

    def compared(items: Collection[str]) -> tuple[list[float], list[float], list[str]]:
        return [base[item] for item in items], [tuned[item] for item in items], [groups[item] for item in items]

    return Recomputed(
        name=name,
        everything=compare(*compared(list(base)), plan),
        without=compare(*compared(left), plan) if left else None,
        overlapping=tuple(taken),
    )

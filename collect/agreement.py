"""How far annotators agree, with intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

from .vote import Vote


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the counted votes."""

    items: int
    """Items with at least two counted votes: the others say nothing about agreement."""
    votes: int
    annotators: int
    alpha: float | None
    """Krippendorff's alpha over A, B, tie and both_bad as nominal categories; None where it is undefined."""
    alpha_interval: tuple[float, float] | None
    """95%, by bootstrap over items."""
    pairwise: float | None
    """The share of pairs of votes on the same item that agree, 0 to 1."""
    pairwise_interval: tuple[float, float] | None
    choices: dict[str, int]
    """Counted votes by choice."""
    first_shown: float | None
    """The share of A/B votes for the answer shown first: 0.5 without position bias. Votes that don't know are not in."""


def agreement(votes: Sequence[Vote], *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Measure agreement (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; nominal metric)."""
    import numpy as np

    counted = sorted((vote for vote in votes if vote.counts), key=lambda vote: vote.item_id)
    groups = [[str(vote.choice) for vote in rows] for _, rows in groupby(counted, lambda vote: vote.item_id)]
    groups = [group for group in groups if len(group) > 1]
    categories = sorted({choice for group in groups for choice in group})
    table = np.array([[group.count(category) for category in categories] for group in groups], dtype=float)
    same = np.array([sum(a == b for a, b in combinations(group, 2)) for group in groups], dtype=float)
    pairs = np.array([len(group) * (len(group) - 1) / 2 for group in groups])
    draws = np.random.default_rng(seed).integers(0, max(len(groups), 1), (resamples, len(groups)))
    alphas = [value for rows in draws if (value := _alpha(table[rows])) is not None] if groups else []
    shares = [same[rows].sum() / pairs[rows].sum() for rows in draws] if groups else []
    sided = [vote for vote in counted if vote.choice in ("A", "B") and vote.left is not None]
    return Agreement(
        items=len(groups),
        votes=len(counted),
        annotators=len({vote.annotator for vote in counted}),
        alpha=_alpha(table) if groups else None,
        alpha_interval=_interval(alphas),
        pairwise=float(same.sum() / pairs.sum()) if groups else None,
        pairwise_interval=_interval(shares),
        choices=dict(Counter(str(vote.choice) for vote in counted)),
        first_shown=sum(vote.choice == vote.left for vote in sided) / len(sided) if sided else None,
    )


def _alpha(table: "object") -> float | None:
    import krippendorff
    import numpy as np

    counts = np.asarray(table)
    if (counts.sum(axis=0) > 0).sum() < 2:  # one category only: no disagreement could have shown
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    import numpy as np

    if not values:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)

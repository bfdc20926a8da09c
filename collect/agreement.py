"""How far annotators agree, with intervals: Krippendorff, Cohen, Fleiss, and plainly in per cent.

Every measure is a function of counts that add up over items, so the bootstrap resamples items and adds.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Literal

from .intervals import Array, Figure, bootstrap
from .vote import Vote

Level = Literal["nominal", "ordinal"]


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
    """The share of A/B votes for the answer shown first: 0.5 without position bias."""


def agreement(
    votes: Sequence[Vote], *, clusters: Mapping[str, str] | None = None, resamples: int = 1000, seed: int = 0
) -> Agreement:
    """Measure the agreement of the counted votes.

    Args:
        votes: Any votes; only counted ones are used.
        clusters: From item id to what is resampled, where several items stand for one (a ranking's pairs).
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    counted = sorted((vote for vote in votes if vote.counts), key=lambda vote: vote.item_id)
    by_item = {key: list(rows) for key, rows in groupby(counted, lambda vote: vote.item_id)}
    kept = [item_id for item_id, rows in by_item.items() if len(rows) > 1]
    ratings = [[str(vote.choice) for vote in by_item[item_id]] for item_id in kept]
    together = [clusters.get(item_id, item_id) for item_id in kept] if clusters else None
    alpha = krippendorff_alpha(ratings, clusters=together, resamples=resamples, seed=seed)
    pairwise = pairwise_agreement(ratings, clusters=together, resamples=resamples, seed=seed)
    sided = [vote for vote in counted if vote.choice in ("A", "B") and vote.left]
    return Agreement(
        items=len(ratings),
        votes=len(counted),
        annotators=len({vote.annotator for vote in counted}),
        alpha=alpha.value if alpha else None,
        alpha_interval=(alpha.low, alpha.high) if alpha else None,
        pairwise=pairwise.value if pairwise else None,
        pairwise_interval=(pairwise.low, pairwise.high) if pairwise else None,
        choices=dict(Counter(str(vote.choice) for vote in counted)),
        first_shown=sum(vote.choice == vote.left for vote in sided) / len(sided) if sided else None,
    )


def krippendorff_alpha(
    ratings: Sequence[Sequence[str | float]],
    level: Level = "nominal",
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """Return Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability"): 1 perfect, 0 as by chance.

    Args:
        ratings: For each item, what its raters said, in any order; items with fewer than two say nothing.
        level: `ordinal` takes numbers and counts a near miss as less than a far one.
        clusters: One for each item; the bootstrap draws them whole.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        None where it is undefined: no item with two ratings, or one value only, so that no disagreement could show.
    """
    import krippendorff
    import numpy as np

    rows, together = _rated_twice(ratings, clusters)
    values = sorted({value for row in rows for value in row}, key=lambda value: (isinstance(value, str), value))
    if len(values) < 2:
        return None
    counts = np.array([[row.count(value) for value in values] for row in rows], dtype=float)
    found = bootstrap(
        _coincidences(counts),
        lambda sums: _alpha(sums.reshape(len(sums), len(values), len(values)), level),
        clusters=together,
        resamples=resamples,
        seed=seed,
    )
    assert found is not None
    whole = float(krippendorff.alpha(value_counts=counts, level_of_measurement=level))
    return Figure(whole, found.low, found.high, found.n)


def pairwise_agreement(
    ratings: Sequence[Sequence[str]],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """Return the share of pairs of ratings on the same item that are equal, 0 to 1; None without any pair."""
    rows, together = _rated_twice(ratings, clusters)
    counts = [(sum(a == b for a, b in combinations(row, 2)), len(row) * (len(row) - 1) / 2) for row in rows]
    return bootstrap(counts, lambda sums: sums[:, 0] / sums[:, 1], clusters=together, resamples=resamples, seed=seed)


def cohen_kappa(
    a: Sequence[str],
    b: Sequence[str],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """Return Cohen's kappa of two raters (1960, Educ. Psychol. Meas. 20, 37-46), or None where it is undefined.

    Args:
        a: What the first said, item by item.
        b: What the second said of the same items.
        clusters: One for each item; the bootstrap draws them whole.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    import numpy as np

    values = sorted({*a, *b})
    both = np.zeros((len(a), len(values) * len(values)))
    for row, (one, two) in enumerate(zip(a, b, strict=True)):
        both[row, values.index(one) * len(values) + values.index(two)] = 1
    return bootstrap(
        both,
        lambda sums: _kappa(sums.reshape(len(sums), len(values), len(values))),
        clusters=clusters,
        resamples=resamples,
        seed=seed,
    )


def fleiss_kappa(
    table: Sequence[Sequence[int]],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """Return Fleiss' kappa (1971, Psychol. Bull. 76, 378-382), or None where it is undefined.

    Args:
        table: For each item, how many of its raters chose each category; every item has equally many raters.
        clusters: One for each item; the bootstrap draws them whole.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: items differ in their number of raters.
    """
    import numpy as np

    counts = np.asarray(table, dtype=float)
    if not counts.size:
        return None
    raters = counts.sum(axis=1)
    if (raters != raters[0]).any():
        raise ValueError("Fleiss' kappa needs equally many raters on every item")
    if raters[0] < 2:
        return None
    same = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    features = np.column_stack([same, np.ones(len(counts)), counts])

    def kappa(sums: Array) -> Array:
        expected = ((sums[:, 2:] / sums[:, 2:].sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return _beyond(sums[:, 0] / sums[:, 1], expected)

    return bootstrap(features, kappa, clusters=clusters, resamples=resamples, seed=seed)


def majority(choices: Iterable[str]) -> str | None:
    """Return the choice that more made than any other one, or None where two lead together or there is none."""
    ranked = Counter(choices).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def preference_scale(vote: Vote) -> int | None:
    """Return where a vote stands between B (negative) and A (positive); 0 is a tie, None is off the scale (both bad).

    With strengths the scale has nine steps, -4 to 4; without, three.
    """
    if vote.choice == "tie":
        return 0
    if vote.choice not in ("A", "B"):
        return None
    return (vote.strength or 1) * (1 if vote.choice == "A" else -1)


def _rated_twice(
    ratings: Sequence[Sequence[str | float]], clusters: Sequence[str] | None
) -> tuple[list[list[str | float]], list[str] | None]:
    kept = [index for index, row in enumerate(ratings) if len(row) > 1]
    return [list(ratings[index]) for index in kept], [clusters[index] for index in kept] if clusters else None


def _coincidences(counts: Array) -> Array:
    """Each item's coincidence matrix, flattened: n_c (n_k - [c = k]) / (m - 1) for its m ratings."""
    import numpy as np

    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    return (pairs / (counts.sum(axis=1) - 1)[:, None, None]).reshape(len(counts), -1)


def _alpha(coincidences: Array, level: Level) -> Array:
    """1 - observed over expected disagreement, for a stack of coincidence matrices (r, k, k)."""
    import numpy as np

    margins = coincidences.sum(axis=2)
    total = margins.sum(axis=1)
    if level == "ordinal":
        middle = np.cumsum(margins, axis=1) - margins / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    else:
        distance = np.broadcast_to(1 - np.eye(margins.shape[1]), coincidences.shape)
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (margins[:, :, None] * margins[:, None, :] * distance).sum(axis=(1, 2)) / (total - 1)
    return 1 - np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)


def _kappa(tables: Array) -> Array:
    n = tables.sum(axis=(1, 2))
    observed = tables.trace(axis1=1, axis2=2) / n
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    return _beyond(observed, expected)


def _beyond(observed: Array, expected: Array) -> Array:
    """Agreement beyond chance: (observed - expected) / (1 - expected), NaN where chance alone agrees fully."""
    import numpy as np

    room = 1 - expected
    return np.divide(observed - expected, room, out=np.full_like(observed, np.nan), where=room > 1e-12)

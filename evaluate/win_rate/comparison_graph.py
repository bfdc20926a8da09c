"""Which models were compared, and between which of them the comparisons settle a distance.

Ford 1957 (Amer. Math. Monthly 64, 28-33): strengths by maximum likelihood exist if and only if, however the models are
split in two, some model of each part scored against one of the other. Within such a group all distances are settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True, slots=True)
class Settled:
    """The groups of models with settled distances, and who stands above whom."""

    group: Array
    """The group's number of each model, shape (models,)."""
    reaches: Array
    """Whether a chain of (half) wins leads from the row's model to the column's, shape (models, models)."""

    def above(self, model: int, other: int) -> bool:
        """Whether the model is better by an unknown distance: a chain of wins leads down, none leads up."""
        return bool(self.reaches[model, other] and not self.reaches[other, model])


def connected(first: Array, second: Array, models: int) -> Array:
    """Return the number of each model's connected part of the comparisons, shape (models,).

    Args:
        first: The first model's number of each comparison.
        second: The second's.
        models: How many there are.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first)), (first, second)), shape=(models, models))
    return connected_components(links.tocsr(), directed=False)[1]


def require_connected(names: Sequence[str], first: Array, second: Array) -> None:
    """Refuse comparisons that fall apart into models that were never compared, directly or through others.

    Raises:
        ValueError: naming up to three models of each part.
    """
    parts = connected(first, second, len(names))
    if parts.max() == 0:
        return
    members = [[name for name, part in zip(names, parts, strict=True) if part == number] for number in set(parts)]
    shown = "; ".join(", ".join(part[:3]) + (", ..." if len(part) > 3 else "") for part in members)
    raise ValueError(
        f"the models fall into {len(members)} parts that were never compared with each other ({shown}): rate each part "
        "on its own, or compare models across the parts"
    )


def settle(first: Array, second: Array, scores: Array, models: int) -> Settled:
    """Find between which models the scores settle a distance.

    Args:
        first: The first model's number of each comparison.
        second: The second's.
        scores: The first model's, 0 to 1; anything between lets both score.
        models: How many there are.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, shortest_path

    won, lost = scores > 0, scores < 1
    rows, columns = np.concatenate([first[won], second[lost]]), np.concatenate([second[won], first[lost]])
    wins = coo_array((np.ones(len(rows)), (rows, columns)), shape=(models, models)).tocsr()
    group = connected_components(wins, directed=True, connection="strong")[1]
    return Settled(group, np.isfinite(shortest_path(wins, unweighted=True)))

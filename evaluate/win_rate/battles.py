"""Comparisons of two models at a time, and what they are in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from .outcomes import read_score

Array = Any


class Battle(NamedTuple):
    """One comparison; a plain tuple of the first three will do."""

    a: str
    b: str
    score: float | str | None
    """The first model's: 1, 0, 0.5 or anything between, or a word such as "A" or "tie"; None where nobody decided."""
    question: str = ""
    """All battles on one question are resampled together; without a name each is a question of its own."""
    weight: float = 1.0
    """How many battles it counts for, above 0; Arena-Hard gives a clear win 3."""


@dataclass(frozen=True, slots=True)
class Battles:
    """Scored battles in numbers; every array is of shape (battles,) but `features`."""

    models: tuple[str, ...]
    """In alphabetical order; the arrays number them."""
    first: Array
    second: Array
    scores: Array
    weights: Array
    questions: list[str]
    features: Array
    """In root mean squares, shape (battles, features)."""
    left_out: int

    def design(self) -> Array:
        """Return 1 for the first model, -1 for the second, and the features: shape (battles, models + features)."""
        import numpy as np
        from scipy.sparse import coo_array, hstack

        rows = np.arange(len(self.scores))
        ones = np.ones(len(rows))
        who = (np.concatenate([ones, -ones]), (np.tile(rows, 2), np.concatenate([self.first, self.second])))
        return hstack([coo_array(who, shape=(len(rows), len(self.models))), coo_array(self.features)]).tocsr()


def read_battles(battles: Sequence[Battle], features: Sequence[Sequence[float]] | None) -> Battles:
    """Take the battles that were scored, and their features.

    Args:
        battles: Any; those without a score are counted.
        features: A row for each battle, scored or not.

    Raises:
        ValueError: a model against itself, a weight, score or feature that is none, or nothing scored.
    """
    import numpy as np

    for battle in battles:
        if battle.a == battle.b:
            raise ValueError(f"a battle needs two models, got {battle.a!r} against itself")
        if not 0 < battle.weight < inf:
            raise ValueError(f"a battle's weight must be above 0, got {battle.weight}")
    if features is not None and len(features) != len(battles):
        raise ValueError(f"{len(battles)} battles, but features of {len(features)}: give a row for each battle")
    scores = [read_score(battle.score) for battle in battles]
    kept = [number for number, score in enumerate(scores) if score is not None]
    if not kept:
        raise ValueError(f"not one of {len(battles)} battles was scored: there is nothing to rate")
    used = [battles[number] for number in kept]
    models = tuple(sorted({name for battle in used for name in (battle.a, battle.b)}))
    numbers = {name: number for number, name in enumerate(models)}
    return Battles(
        models=models,
        first=np.array([numbers[battle.a] for battle in used]),
        second=np.array([numbers[battle.b] for battle in used]),
        scores=np.array([scores[number] for number in kept], dtype=float),
        weights=np.array([battle.weight for battle in used], dtype=float),
        questions=[f"q {battles[number].question}" if battles[number].question else f"# {number}" for number in kept],
        features=_scaled(features, kept),
        left_out=len(battles) - len(kept),
    )


def _scaled(features: Sequence[Sequence[float]] | None, kept: list[int]) -> Array:
    import numpy as np

    if features is None:
        return np.zeros((len(kept), 0))
    rows = np.asarray(features, dtype=float)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError("features are one row of numbers a battle, equally many in each")
    size = np.sqrt((rows[kept] ** 2).mean(axis=0))
    return rows[kept] / np.where(size > 0, size, 1.0)

"""Scores: what scorers said about items before people were asked, one JSON line each."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field

from ...runs import read_lines, write_lines


class Score(BaseModel, extra="forbid", frozen=True):
    """One scorer's opinion of one item."""

    item_id: str
    scorer: str
    """`adapter:<hash>`, `judge:<model>`, or a name of the user's own."""
    p_a: float = Field(ge=0, le=1)
    """The probability that A is the better answer."""


def read_scores(path: Path) -> dict[str, dict[str, float]]:
    """Return p(A) by item id and scorer, an empty mapping where nothing was scored yet."""
    scores: dict[str, dict[str, float]] = {}
    for row in map(Score.model_validate, read_lines(path)):
        scores.setdefault(row.item_id, {})[row.scorer] = row.p_a
    return scores


def add_scores(path: Path, scorer: str, found: Mapping[str, float]) -> None:
    """Put a scorer's opinions beside those of the others, in the place of what it had said before."""
    kept = [row for row in read_lines(path) if row["scorer"] != scorer]
    write_lines(path, [*kept, *({"item_id": key, "scorer": scorer, "p_a": p} for key, p in sorted(found.items()))])

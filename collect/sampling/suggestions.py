"""Suggestions: a scorer's choice shown to annotators, for a random share of the items, so that its effect can be seen.

Suggestions shift people's labels and make nobody faster (410 annotators, arXiv 2507.15821), so none is shown unless
asked for, and never for all items.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from ..item import Side
from ..vote import Choice, Vote

if TYPE_CHECKING:
    from numpy import float64
    from numpy.random import Generator
    from numpy.typing import NDArray


class SuggestionSettings(BaseModel):
    """Whose scores are shown as suggestions, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scorer: str
    """As `prefloop collect score` named it: `judge:<model>` or `adapter:<hash>`."""
    share: float = Field(default=0.5, gt=0, lt=1)
    """The share of the items with a suggestion, by a keyed coin; the others show what it changed."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is shown with an item."""

    choice: Choice
    score: float
    """How sure the scorer is of it, 0.5 to 1."""
    agent: str


@dataclass(frozen=True, slots=True)
class SuggestionEffect:
    """Votes with the suggestion in sight against votes without."""

    shown: int
    """Counted votes on items whose suggestion was shown."""
    hidden: int
    """Counted votes on items that the scorer had scored too, its choice not shown."""
    agreed_shown: float
    """The share of the shown that chose what was suggested, 0 to 1."""
    agreed_hidden: float
    difference: float
    """Shown minus hidden: what seeing it did to the labels."""
    low: float
    high: float
    """Its 95% interval, by bootstrap over items."""


def suggest(scores: Mapping[str, Mapping[str, float]], settings: SuggestionSettings) -> dict[str, Suggestion]:
    """Return the scorer's choice for every item it scored, by item id."""
    found = {item_id: values[settings.scorer] for item_id, values in scores.items() if settings.scorer in values}
    return {item_id: Suggestion(_choice(p), max(p, 1 - p), settings.scorer) for item_id, p in found.items()}


def is_shown(key: bytes, item_id: str, share: float) -> bool:
    """Toss the item's coin: only the key's holder can toss it again, and it says nothing about the sides."""
    coin = hmac.new(key, f"suggestion:{item_id}".encode(), hashlib.sha256).digest()
    return int.from_bytes(coin[:8]) < share * 2**64


def suggestion_effect(
    votes: Sequence[Vote], suggestions: Mapping[str, Suggestion], *, resamples: int = 2000, seed: int = 0
) -> SuggestionEffect | None:
    """Compare how often people chose what the scorer chose, with and without seeing it; None without both."""
    import numpy as np

    counted = [vote for vote in votes if vote.counts and vote.item_id in suggestions]
    arms = {
        seen: _agreements([vote for vote in counted if vote.suggestion_seen is seen], suggestions)
        for seen in (True, False)
    }
    if not all(arms.values()):
        return None
    random = np.random.default_rng(seed)
    draws = {seen: _resampled(rows, resamples, random) for seen, rows in arms.items()}
    low, high = np.quantile(draws[True] - draws[False], [0.025, 0.975])
    shares = {seen: sum(row[0] for row in rows) / sum(row[1] for row in rows) for seen, rows in arms.items()}
    return SuggestionEffect(
        shown=sum(row[1] for row in arms[True]),
        hidden=sum(row[1] for row in arms[False]),
        agreed_shown=shares[True],
        agreed_hidden=shares[False],
        difference=shares[True] - shares[False],
        low=float(low),
        high=float(high),
    )


def _agreements(votes: Sequence[Vote], suggestions: Mapping[str, Suggestion]) -> list[tuple[int, int]]:
    """Return (votes that agree, votes) of each item."""
    rows: dict[str, tuple[int, int]] = {}
    for vote in votes:
        agreed, total = rows.get(vote.item_id, (0, 0))
        rows[vote.item_id] = (agreed + (vote.choice == suggestions[vote.item_id].choice), total + 1)
    return [rows[item_id] for item_id in sorted(rows)]


def _resampled(rows: list[tuple[int, int]], resamples: int, random: "Generator") -> "NDArray[float64]":
    import numpy as np

    table = np.array(rows)
    drawn = table[random.integers(0, len(table), (resamples, len(table)))].sum(axis=1)
    return np.asarray(drawn[:, 0] / drawn[:, 1], dtype=np.float64)


def _choice(p: float) -> Choice:
    better: Side = "A" if p > 0.5 else "B"
    return "tie" if p == 0.5 else better

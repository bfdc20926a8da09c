"""Outcomes of comparisons on one scale: 1 where the model wins, 0 where it loses, 0.5 for a tie, None if unscored."""

from collections.abc import Hashable, Sequence
from math import isnan
from typing import Literal

Scale = Literal["0 to 1", "1 to 2"]
"""`1 to 2` is AlpacaEval's: 2 where the model wins, 1 where the baseline does, 1.5 or 0 for a tie."""

WORDS = {
    "A": 1.0,
    "B": 0.0,
    "tie": 0.5,
    "both_bad": 0.5,
    "model_a": 1.0,
    "model_b": 0.0,
    "tie (bothbad)": 0.5,
}
"""Votes of prefloop and of Chatbot Arena as the score of the first model."""


def read_preferences(
    preferences: Sequence[float | None], scale: Scale | None = None
) -> tuple[list[float | None], Scale]:
    """Return preferences from 0 to 1, and the scale they were read on; None and NaN stay unscored.

    Args:
        preferences: Certain or soft preferences for the model.
        scale: By default `1 to 2` where any value is above 1. AlpacaEval's preferences of a model that never wins hold
            no such value: name the scale where you know it.

    Raises:
        ValueError: a value is not on the scale.
    """
    values = [None if value is None or isnan(value) else float(value) for value in preferences]
    if scale is None:
        scale = "1 to 2" if any(value is not None and value > 1 for value in values) else "0 to 1"
    return [None if value is None else _on_scale(value, scale) for value in values], scale


def read_score(outcome: float | str | None) -> float | None:
    """Return the first model's score, 0 to 1, of a number or one of `WORDS`; None where nobody decided (`skip`).

    Raises:
        ValueError: another word, or a number that is not from 0 to 1.
    """
    if outcome is None or outcome == "skip":
        return None
    if isinstance(outcome, str):
        if outcome not in WORDS:
            raise ValueError(f"unknown outcome {outcome!r}: give a score from 0 to 1, or one of {', '.join(WORDS)}")
        return WORDS[outcome]
    return None if isnan(outcome) else _on_scale(float(outcome), "0 to 1")


def read_clusters(clusters: Sequence[Hashable] | None, count: int) -> list[str]:
    """Return each comparison's question as a name; without clusters every comparison is a question of its own.

    Raises:
        ValueError: there is not one cluster a comparison.
    """
    if clusters is None:
        return [str(number) for number in range(count)]
    if len(clusters) != count:
        raise ValueError(f"{count} comparisons, but {len(clusters)} clusters: name the question of each comparison")
    return [str(cluster) for cluster in clusters]


def _on_scale(value: float, scale: Scale) -> float:
    if scale == "0 to 1":
        if not 0 <= value <= 1:
            raise ValueError(f"a preference must be from 0 (loses) to 1 (wins), got {value}")
        return value
    if value == 0:
        return 0.5
    if not 1 <= value <= 2:
        raise ValueError(f"on AlpacaEval's scale a preference is 0 (tie) or from 1 (loses) to 2 (wins), got {value}")
    return value - 1

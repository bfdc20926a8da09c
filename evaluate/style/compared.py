"""What is looked at: both models' answers to one prompt, and which was preferred."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..win_rate import Style, style_difference, style_features

Array = Any


@dataclass(frozen=True, slots=True)
class Compared:
    """Both models' answers to one prompt."""

    prompt_id: str
    base: str
    tuned: str
    preference: float | None
    """For the tuned model's answer: 1 it wins, 0 it loses, 0.5 a tie, or between; None where nobody decided."""
    base_tokens: int | None = None
    """By the model's tokenizer; None counts words and punctuation marks instead."""
    tuned_tokens: int | None = None

    def styles(self) -> tuple[Style, Style]:
        """Return the base's and the tuned model's style."""
        return style_features(self.base, self.base_tokens), style_features(self.tuned, self.tuned_tokens)


def style_differences(rows: Sequence[Compared]) -> list[tuple[float, float, float, float]]:
    """Return tuned minus base in length, headers, lists and bold, each from -1 to 1, for each row."""
    return [style_difference(tuned, base) for base, tuned in (row.styles() for row in rows)]


def scaled(differences: Sequence[Sequence[float]]) -> Array:
    """Return differences in their root mean squares, shape (rows, features): 1 is a typical difference."""
    import numpy as np

    rows = np.asarray(differences, dtype=float)
    size = np.sqrt((rows**2).mean(axis=0))
    return rows / np.where(size > 0, size, 1.0)

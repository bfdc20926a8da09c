"""How often a model is preferred to another: raw, at equal length, at equal style, and among many models.

What each number means, and when to distrust it: docs/win-rates.md.
"""

from .battles import Battle
from .bradley_terry import BradleyTerry, Rating, bradley_terry
from .length_control import LengthControlled, length_controlled_win_rate
from .rate import Preferred, win_rate
from .resampling import Rate
from .style import Style, style_difference, style_features

__all__ = [
    "Battle",
    "BradleyTerry",
    "LengthControlled",
    "Preferred",
    "Rate",
    "Rating",
    "Style",
    "bradley_terry",
    "length_controlled_win_rate",
    "style_difference",
    "style_features",
    "win_rate",
]

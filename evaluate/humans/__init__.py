"""People compare the base and the tuned model's own answers to the sealed prompts, blind: a win rate with its error."""

from .measure import measure_round
from .result import HumanRound, read_result, write_result
from .section import section
from .settings import evaluation_settings
from .two_ways import share_two_ways
from .words import words
from .writing import Contest, round_items

__all__ = [
    "Contest",
    "HumanRound",
    "evaluation_settings",
    "measure_round",
    "read_result",
    "round_items",
    "section",
    "share_two_ways",
    "words",
    "write_result",
]

"""Answers that try to win without being better, and how often a judge falls for them."""

from .attack import ATTACKS, Attack
from .result import AttackReport, AttackResult, read_attacks, write_attacks
from .run import Judging, run_attacks
from .section import section
from .words import words

__all__ = [
    "ATTACKS",
    "Attack",
    "AttackReport",
    "AttackResult",
    "Judging",
    "read_attacks",
    "run_attacks",
    "section",
    "words",
    "write_attacks",
]

"""Judges: which of two answers is better, how good one is by a rubric, and which criteria it meets."""

from .judge import Judge, judge_name, put, shown
from .pairs import Duel, Order, Outcome, Verdict, judge_pairs, pair_questions, parse_verdict, settle

__all__ = [
    "Duel",
    "Judge",
    "Order",
    "Outcome",
    "Verdict",
    "judge_name",
    "judge_pairs",
    "pair_questions",
    "parse_verdict",
    "put",
    "settle",
    "shown",
]

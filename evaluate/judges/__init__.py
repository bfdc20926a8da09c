"""Judges: which of two answers is better, how good one is by a rubric, and which criteria it meets."""

from .judge import Judge, judge_name, put, shown
from .pairs import Duel, Order, Outcome, Verdict, judge_pairs, pair_questions, parse_verdict, settle
from .settings import RubricSettings
from .single import Given, Kind, read_single, single_question, single_questions

__all__ = [
    "Duel",
    "Given",
    "Judge",
    "Kind",
    "Order",
    "Outcome",
    "RubricSettings",
    "Verdict",
    "judge_name",
    "judge_pairs",
    "pair_questions",
    "parse_verdict",
    "put",
    "read_single",
    "settle",
    "shown",
    "single_question",
    "single_questions",
]

"""MT-Bench as FastChat computes it: question and judgment files, judge prompts, verdicts, tables.

Nothing here asks a judge. Formulas and rules: Zheng et al. 2023 (arXiv 2306.05685) and FastChat's `llm_judge`, whose
results this gives on FastChat's own files; what is added (intervals, counts, the strict reading) stands beside them.
"""

from .hardening import Flag, audit, defuse, find_impersonation, read_strictly
from .judgments import PairJudgment, SingleJudgment, read_pair_judgments, read_single_judgments
from .pairs import PairRow, pair_table
from .prompts import (
    JUDGE_MAX_TOKENS,
    JUDGE_TEMPERATURE,
    Asked,
    JudgePrompt,
    answer_temperature,
    choose_prompt,
    fill_pair,
    fill_single,
    read_judge_prompts,
)
from .questions import Answer, Question, read_answers, read_questions
from .scores import MeanScore, ScoreRow, mean_score, score_table
from .verdicts import (
    PairVerdict,
    Winner,
    combine_two_games,
    last_pair_verdict,
    last_rating,
    parse_pair_verdict,
    parse_rating,
    parse_score_pair,
)

__all__ = [
    "JUDGE_MAX_TOKENS",
    "JUDGE_TEMPERATURE",
    "Answer",
    "Asked",
    "Flag",
    "JudgePrompt",
    "MeanScore",
    "PairJudgment",
    "PairRow",
    "PairVerdict",
    "Question",
    "ScoreRow",
    "SingleJudgment",
    "Winner",
    "answer_temperature",
    "audit",
    "choose_prompt",
    "combine_two_games",
    "defuse",
    "fill_pair",
    "fill_single",
    "find_impersonation",
    "last_pair_verdict",
    "last_rating",
    "mean_score",
    "pair_table",
    "parse_pair_verdict",
    "parse_rating",
    "parse_score_pair",
    "read_answers",
    "read_judge_prompts",
    "read_pair_judgments",
    "read_questions",
    "read_single_judgments",
    "read_strictly",
    "score_table",
]

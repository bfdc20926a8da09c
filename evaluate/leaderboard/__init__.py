"""The Open LLM Leaderboard's numbers, from what lm-eval measured, with standard errors carried through."""

from .scores import Score, SubtaskScore, normalize
from .summary import GroupScore, Summary, summarize_v1, summarize_v2
from .tasks import V1, V2, Benchmark, Subtask

__all__ = [
    "V1",
    "V2",
    "Benchmark",
    "GroupScore",
    "Score",
    "Subtask",
    "SubtaskScore",
    "Summary",
    "normalize",
    "summarize_v1",
    "summarize_v2",
]

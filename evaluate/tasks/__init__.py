"""Benchmark tasks through lm-eval: the Open LLM Leaderboard's and the user's own, of base and tuned model, paired."""

from .items import TaskItems, read_items
from .result import Average, TaskResults, TaskRow
from .run import check_tasks, run_tasks
from .settings import TasksSettings

__all__ = [
    "Average",
    "TaskItems",
    "TaskResults",
    "TaskRow",
    "TasksSettings",
    "check_tasks",
    "read_items",
    "run_tasks",
]

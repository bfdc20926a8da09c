"""Benchmark tasks through lm-eval: the Open LLM Leaderboard's and the user's own, of base and tuned model, paired."""

from .result import Average, TaskResults, TaskRow
from .run import check_tasks, run_tasks, task_files
from .settings import TasksSettings

__all__ = [
    "Average",
    "TaskResults",
    "TaskRow",
    "TasksSettings",
    "check_tasks",
    "run_tasks",
    "task_files",
]

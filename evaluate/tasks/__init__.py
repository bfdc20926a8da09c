"""Benchmark tasks through lm-eval: the Open LLM Leaderboard's and the user's own, of base and tuned model, paired."""

from .contenders import Contenders, contenders, loaded
from .result import Average, TaskResults, TaskRow
from .run import check_tasks, run_tasks, task_files
from .settings import TasksSettings

__all__ = [
    "Average",
    "Contenders",
    "TaskResults",
    "TaskRow",
    "TasksSettings",
    "check_tasks",
    "contenders",
    "loaded",
    "run_tasks",
    "task_files",
]

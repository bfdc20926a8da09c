"""What a run of benchmark tasks found out."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict

from ..estimate import LeftOut, ModelIdentity
from ..leaderboard import GroupScore, Score
from ..statistics import Decision
from .catalogue import Board

Clusters = Literal["questions", "subtasks", "shared texts"]
"""What is taken as drawn independently in the paired difference."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One benchmark, or one task of the user's own."""

    name: str
    board: Board
    label: str
    """What may be printed beside the number: the benchmark's name only where nothing about it deviates."""
    metric: str
    """lm-eval's metrics that the raw score is the mean of."""
    base: GroupScore
    tuned: GroupScore | None
    decision: Decision | None
    """On the raw score, tuned minus base, on the same questions; None with one model."""
    clusters: Clusters
    questions: int
    notes: tuple[str, ...]
    """In what the data, or the way of asking, differ from the published ones."""
    seconds: float
    """Of asking, when it was asked."""

    @property
    def as_published(self) -> bool:
        """Whether the number may be called the leaderboard's."""
        return self.base.as_published and not self.notes


@dataclass(frozen=True, slots=True)
class Average:
    """A leaderboard's average; only where every column is there as published."""

    board: Board
    base: Score
    tuned: Score | None


@dataclass(frozen=True, slots=True)
class TaskResults:
    """A whole run."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    models: tuple[ModelIdentity, ...]
    """The model, or base and tuned."""
    rows: tuple[TaskRow, ...]
    averages: tuple[Average, ...]
    chat_template: bool
    """Whether prompts were put into the model's chat template, which moves scores by tens of points."""
    limit: int | None
    confidence: float
    margin: float | None
    settings: dict[str, Any]
    commands: tuple[str, ...]
    """lm-eval's own command for each model: it reads the same files."""
    asked_now: int
    """Tasks that were asked in this run, of each model; the others were known."""
    tasks: int
    left_out: tuple[LeftOut, ...]
    versions: dict[str, str]
    seconds: float
    created: str
    """ISO 8601, UTC."""

"""Questions of one or two turns, and the answers of models and references, in FastChat's files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from ...errors import Problems
from .lines import read_rows

QuestionId = int | str
Turn = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked, turn by turn."""

    id: QuestionId
    category: str
    turns: tuple[str, ...]

    @property
    def judged_turns(self) -> tuple[Turn, ...]:
        """The turns that FastChat has judged: the second only of questions with exactly two."""
        return (1, 2) if len(self.turns) == 2 else (1,)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model, or a reference, said to one question."""

    question_id: QuestionId
    model: str
    turns: tuple[str, ...]
    """The first choice, the only one that FastChat judges."""
    choices: int = 1
    """How many the file holds; those after the first are not judged."""


def read_questions(path: Path) -> tuple[Question, ...]:
    """Read a `question.jsonl`.

    Raises:
        UserError: the file can't be read or is empty.
        Problems: lines that are no questions, and ids that come twice.
    """
    questions = [(number, Question(row.question_id, row.category, row.turns)) for number, row in _questions(path)]
    _refuse_twins(path, [(number, question.id) for number, question in questions])
    return tuple(question for _, question in questions)


def read_answers(path: Path) -> dict[QuestionId, Answer]:
    """Read one model's answers, or reference answers (`reference_answer/gpt-4.jsonl`), by question id.

    Raises:
        UserError: the file can't be read or is empty.
        Problems: lines that are no answers, and questions answered twice.
    """
    rows = list(read_rows(path, _AnswerRow, "answers"))
    _refuse_twins(path, [(number, row.question_id) for number, row in rows])
    return {
        row.question_id: Answer(row.question_id, row.model_id, row.choices[0].turns, len(row.choices))
        for _, row in rows
    }


class _QuestionRow(BaseModel):
    question_id: QuestionId
    category: str
    turns: tuple[str, ...] = Field(min_length=1)


class _Choice(BaseModel):
    turns: tuple[str, ...] = Field(min_length=1)


class _AnswerRow(BaseModel, protected_namespaces=()):
    question_id: QuestionId
    model_id: str
    choices: tuple[_Choice, ...] = Field(min_length=1)


def _questions(path: Path) -> list[tuple[int, _QuestionRow]]:
    return list(read_rows(path, _QuestionRow, "questions"))


def _refuse_twins(path: Path, ids: list[tuple[int, QuestionId]]) -> None:
    first: dict[QuestionId, int] = {}
    problems = []
    for number, question_id in ids:
        if question_id in first:
            problems.append(f"line {number}: question {question_id} is on line {first[question_id]} already")
        first.setdefault(question_id, number)
    if problems:
        raise Problems(f"{path} has questions twice", problems)

"""Judgments as FastChat writes them: a rating of one answer, or two games about a pair."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from .lines import read_rows
from .questions import QuestionId, Turn
from .verdicts import PairVerdict, Winner, combine_two_games

UNSCORED = -1
"""What FastChat writes for a rating that it can't read."""


@dataclass(frozen=True, slots=True)
class SingleJudgment:
    """A judge's rating of one model's answer."""

    question_id: QuestionId
    model: str
    judge: str
    """The judge's model."""
    prompt: str
    """The name of the judge prompt."""
    turn: Turn
    score: float | None
    """None: unscored, as the judge's text holds no rating."""
    text: str
    """All that the judge said."""
    user_prompt: str = ""

    def row(self) -> dict[str, object]:
        """Return it as FastChat writes it (without a time), for its `show_result.py`."""
        return {
            "question_id": self.question_id,
            "model": self.model,
            "judge": [self.judge, self.prompt],
            "user_prompt": self.user_prompt,
            "judgment": self.text,
            "score": UNSCORED if self.score is None else self.score,
            "turn": self.turn,
        }


@dataclass(frozen=True, slots=True)
class PairJudgment:
    """Two games about the same two answers: model_1 is shown first in the first, second in the second."""

    question_id: QuestionId
    model_1: str
    model_2: str
    judge: str
    prompt: str
    turn: Turn
    first: PairVerdict | None
    """By position: A is model_1. None: unscored."""
    second: PairVerdict | None
    """By position: A is model_2."""
    first_text: str
    second_text: str
    first_user_prompt: str = ""
    second_user_prompt: str = ""

    @property
    def winner(self) -> Winner | None:
        """What both games add up to; None where either is unscored."""
        return combine_two_games(self.first, self.second)

    @property
    def consistent(self) -> bool | None:
        """Whether both games prefer the same model, or both neither; None where either is unscored."""
        if self.first is None or self.second is None:
            return None
        return _SWAPPED[self.first] == self.second

    def row(self) -> dict[str, object]:
        """Return it as FastChat writes it (without a time), for its `show_result.py`."""
        return {
            "question_id": self.question_id,
            "model_1": self.model_1,
            "model_2": self.model_2,
            "g1_winner": "error" if self.first is None else _FIRST_WINNER[self.first],
            "g2_winner": "error" if self.second is None else _FIRST_WINNER[_SWAPPED[self.second]],
            "judge": [self.judge, self.prompt],
            "g1_user_prompt": self.first_user_prompt,
            "g1_judgment": self.first_text,
            "g2_user_prompt": self.second_user_prompt,
            "g2_judgment": self.second_text,
            "turn": self.turn,
        }


def read_single_judgments(path: Path) -> tuple[SingleJudgment, ...]:
    """Read a `…_single.jsonl`, every row; -1 becomes None.

    Raises:
        UserError: the file can't be read or is empty.
        Problems: lines that are no ratings.
    """
    return tuple(
        SingleJudgment(
            question_id=row.question_id,
            model=row.model,
            judge=row.judge[0],
            prompt=row.judge[1],
            turn=row.turn,
            score=None if row.score == UNSCORED else row.score,
            text=row.judgment,
            user_prompt=row.user_prompt,
        )
        for _, row in read_rows(path, _SingleRow, "ratings of single answers")
    )


def read_pair_judgments(path: Path) -> tuple[PairJudgment, ...]:
    """Read a `…_pair.jsonl`, every row; "error" becomes None.

    Raises:
        UserError: the file can't be read or is empty.
        Problems: lines that are no two games.
    """
    return tuple(
        PairJudgment(
            question_id=row.question_id,
            model_1=row.model_1,
            model_2=row.model_2,
            judge=row.judge[0],
            prompt=row.judge[1],
            turn=row.turn,
            first=_POSITION[row.g1_winner],
            second=_swap(_POSITION[row.g2_winner]),
            first_text=row.g1_judgment,
            second_text=row.g2_judgment,
            first_user_prompt=row.g1_user_prompt,
            second_user_prompt=row.g2_user_prompt,
        )
        for _, row in read_rows(path, _PairRow, "judgments of pairs")
    )


_Recorded = Literal["model_1", "model_2", "tie", "error"]
_POSITION: dict[_Recorded, PairVerdict | None] = {"model_1": "A", "model_2": "B", "tie": "tie", "error": None}
_FIRST_WINNER: dict[PairVerdict, Winner] = {"A": "model_1", "B": "model_2", "tie": "tie"}
_SWAPPED: dict[PairVerdict, PairVerdict] = {"A": "B", "B": "A", "tie": "tie"}


def _swap(verdict: PairVerdict | None) -> PairVerdict | None:
    return None if verdict is None else _SWAPPED[verdict]


class _SingleRow(BaseModel):
    question_id: QuestionId
    model: str
    judge: tuple[str, str]
    turn: Turn
    score: float = Field(allow_inf_nan=False)
    judgment: str
    user_prompt: str = ""


class _PairRow(BaseModel, protected_namespaces=()):
    question_id: QuestionId
    model_1: str
    model_2: str
    judge: tuple[str, str]
    turn: Turn
    g1_winner: _Recorded
    g2_winner: _Recorded
    g1_judgment: str
    g2_judgment: str
    g1_user_prompt: str = ""
    g2_user_prompt: str = ""

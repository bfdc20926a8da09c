"""What a run of MT-Bench found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...errors import UserError
from ...runs import read_json, write_json
from ..estimate import LeftOut
from ..statistics import paired_difference
from .hardening import Suspicion
from .judgments import SingleJudgment
from .pairs import PairRow
from .questions import Question, Turn
from .scores import ScoreRow
from .verdicts import HIGHEST, LOWEST


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """Tuned minus base in points of the scale from 1 to 10, on turns that have a rating of both."""

    category: str | None
    """None: all."""
    value: float
    standard_error: float
    """Paired, clustered by question (Miller 2024, eq. 8)."""
    low: float
    high: float
    """The 95% interval."""
    p: float
    turns: int
    questions: int


@dataclass(frozen=True, slots=True)
class ModelAnswers:
    """One model's part in the run."""

    model: str
    answered: int
    """Turns."""
    cut: int
    """Of them, how many ran into the longest answer allowed."""


@dataclass(frozen=True, slots=True)
class MtBench:
    """A whole run."""

    judge: str
    judge_revisions: tuple[str, ...]
    """What the endpoint, or the local folder, says of itself; more than one where it changed during the run."""
    base: str
    tuned: str | None
    """None where one model was measured alone."""
    questions: int
    models: tuple[ModelAnswers, ...]
    scores: tuple[ScoreRow, ...]
    """Ratings by model: overall, by turn, by category, by category and turn; the strict reading."""
    fastchat_scores: tuple[ScoreRow, ...]
    """The same judgments as FastChat reads them."""
    differences: tuple[ScoreDifference, ...]
    """Overall first, then by category; those with fewer than two questions are left out."""
    pairs: tuple[PairRow, ...]
    """Tuned against base in both orders, in the slices of `scores`."""
    left_out: tuple[LeftOut, ...]
    """Turns without room for an answer, and judgments that can't be read, with their ids."""
    suspicions: tuple[tuple[Suspicion, int], ...]
    """What `audit` flags, counted."""
    asked: int
    """Questions to the judge."""
    input_tokens: int | None
    output_tokens: int | None
    """None where the judge doesn't count tokens."""
    price: float | None
    """In the currency of the prices; None where there are none."""
    prompts: dict[str, str]
    """The judge prompts used, each with its hash."""
    settings: dict[str, object]
    seconds: dict[str, float]


def differences(
    judgments: Sequence[SingleJudgment], questions: Sequence[Question], *, tuned: str, base: str
) -> tuple[ScoreDifference, ...]:
    """Return tuned minus base, overall and by category, with intervals.

    Ratings are taken to the scale from 0 to 1 and back, so that where no difference varies the interval still has the
    width that so few questions leave open (`paired_difference`).
    """
    scores = {(each.model, each.question_id, each.turn): each.score for each in judgments}
    categories = dict.fromkeys(question.category for question in questions)
    found = []
    for category in (None, *categories):
        both = [
            (ours, theirs, str(question.id))
            for question in questions
            for turn in question.judged_turns
            if category in (None, question.category)
            and (ours := scores.get((tuned, question.id, turn))) is not None
            and (theirs := scores.get((base, question.id, turn))) is not None
        ]
        if len({question for _, _, question in both}) > 1:
            found.append(_difference(category, both))
    return tuple(found)


def overall(rows: Sequence[ScoreRow], model: str, *, turn: Turn | None = None, category: str | None = None) -> ScoreRow:
    """Return one line of a model's scores."""
    return next(row for row in rows if (row.model, row.turn, row.category) == (model, turn, category))


def write_result(path: Path, found: MtBench) -> Path:
    """Write the run as JSON."""
    return write_json(path, TypeAdapter(MtBench).dump_python(found, mode="json"))


def read_result(path: Path) -> MtBench:
    """Read what `write_result` wrote.

    Raises:
        UserError: the file is missing or is no such run.
    """
    try:
        return TypeAdapter(MtBench).validate_python(read_json(path))
    except ValidationError as error:
        raise UserError(f"{path} is no result of `prefloop bench mt-bench`: {error.errors()[0]['msg']}") from error


def _difference(category: str | None, both: Sequence[tuple[float, float, str]]) -> ScoreDifference:
    scale = HIGHEST - LOWEST
    ours, theirs, clusters = ([each[place] for each in both] for place in range(3))
    found = paired_difference(
        [(float(score) - LOWEST) / scale for score in ours],
        [(float(score) - LOWEST) / scale for score in theirs],
        clusters,
    )
    return ScoreDifference(
        category,
        found.value * scale,
        found.standard_error * scale,
        max(-1.0, found.low) * scale,
        min(1.0, found.high) * scale,
        found.p,
        found.n,
        found.clusters,
    )

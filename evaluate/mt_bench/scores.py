"""Mean ratings: FastChat's numbers, with intervals clustered by question and a count of what has no rating."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..statistics import mean_with_error
from .judgments import SingleJudgment
from .questions import Question, Turn
from .slices import find_slices
from .verdicts import HIGHEST, LOWEST


@dataclass(frozen=True, slots=True)
class MeanScore:
    """A mean rating on the scale of 1 to 10, and what it rests on."""

    value: float | None
    """None where nothing is scored."""
    standard_error: float | None
    """Clustered by question; None where a single question is scored."""
    low: float | None
    high: float | None
    """The 95% interval; None where a single question is scored."""
    scored: int
    unscored: int
    """Judgments without a rating: left out of the mean, never 0."""
    questions: int
    """How many different ones are scored."""
    repeated: int
    """Judgments of the same answer by the same judge and prompt beyond the first; they count, as with FastChat."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One line of the table."""

    judge: str
    model: str
    turn: Turn | None
    """None: both."""
    category: str | None
    """None: all."""
    score: MeanScore
    missing: int
    """Turns of questions in this line that have no judgment at all."""


def mean_score(judgments: Iterable[SingleJudgment]) -> MeanScore:
    """Return the mean of all ratings there are, with its interval.

    The mean is FastChat's: over judgments, not over the means of the turns, which differs once a turn has more
    unscored judgments than the other. Both turns of a question stand or fall together, so the standard error is
    clustered by question (Miller 2024, arXiv 2411.00640, eq. 4), and so is the interval (`mean_with_error`), cut off
    at the ends of the scale. Where all ratings are equal it is Wilson's for a share of the scale.
    """
    judgments = list(judgments)
    scored = [(judgment.score, str(judgment.question_id)) for judgment in judgments if judgment.score is not None]
    scores, clusters = [score for score, _ in scored], [question for _, question in scored]
    questions = len(set(clusters))
    error, low, high = _error(scores, clusters) if questions > 1 else (None, None, None)
    return MeanScore(
        value=sum(scores) / len(scores) if scores else None,
        standard_error=error,
        low=low,
        high=high,
        scored=len(scores),
        unscored=len(judgments) - len(scores),
        questions=questions,
        repeated=len(judgments) - len({_key(judgment) for judgment in judgments}),
    )


def score_table(judgments: Sequence[SingleJudgment], questions: Sequence[Question]) -> tuple[ScoreRow, ...]:
    """Return the ratings by judge and model: overall, by turn, by category, by category and turn.

    Models come best first.

    Raises:
        ValueError: a judgment is about a question or a turn that isn't there.
    """
    slices = find_slices(questions, [(judgment.question_id, judgment.turn) for judgment in judgments])
    rows = []
    for judge in sorted({judgment.judge for judgment in judgments}):
        theirs = [judgment for judgment in judgments if judgment.judge == judge]
        by_model = {
            model: [each for each in theirs if each.model == model] for model in sorted({each.model for each in theirs})
        }
        for model in sorted(by_model, key=lambda name: -(mean_score(by_model[name]).value or 0.0)):
            for part in slices:
                here = [each for each in by_model[model] if (each.question_id, each.turn) in part.turns]
                missing = len(part.turns) - len({(each.question_id, each.turn) for each in here})
                rows.append(ScoreRow(judge, model, part.turn, part.category, mean_score(here), missing))
    return tuple(rows)


def _error(scores: Sequence[float], clusters: Sequence[str]) -> tuple[float, float, float]:
    bottom, top = min(LOWEST, *scores), max(HIGHEST, *scores)
    found = mean_with_error([(score - bottom) / (top - bottom) for score in scores], clusters)
    low, high = (bottom + (top - bottom) * min(1.0, max(0.0, end)) for end in (found.low, found.high))
    return found.standard_error * (top - bottom), low, high


def _key(judgment: SingleJudgment) -> tuple[object, ...]:
    return judgment.question_id, judgment.turn, judgment.model, judgment.judge, judgment.prompt

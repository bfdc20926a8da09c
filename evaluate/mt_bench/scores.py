"""Mean ratings: FastChat's numbers, with intervals clustered by question and a count of what has no rating."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...collect.intervals import standard_error, wilson
from .judgments import SingleJudgment
from .prompts import Turn
from .questions import Question, QuestionId
from .verdicts import HIGHEST, LOWEST

CONFIDENCE = 0.95


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
    method: str
    """How the interval was made."""


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
    clustered by question (Miller 2024, arXiv 2411.00640, section 2.2, times C/(C-1) for C questions) and the interval
    is Student's with C-1 degrees of freedom, cut off at the ends of the scale. Where all ratings are equal their
    spread says nothing, and the interval is Wilson's for a share of the scale seen in C trials.
    """
    judgments = list(judgments)
    scores = [judgment.score for judgment in judgments if judgment.score is not None]
    clusters = [str(judgment.question_id) for judgment in judgments if judgment.score is not None]
    questions = len(set(clusters))
    value = sum(scores) / len(scores) if scores else None
    error, low, high, method = _interval(scores, clusters) if questions > 1 else (None, None, None, "one question")
    return MeanScore(
        value=value,
        standard_error=error,
        low=low,
        high=high,
        scored=len(scores),
        unscored=len(judgments) - len(scores),
        questions=questions,
        repeated=len(judgments) - len({_key(judgment) for judgment in judgments}),
        method=method if scores else "nothing is scored",
    )


def score_table(judgments: Sequence[SingleJudgment], questions: Sequence[Question]) -> tuple[ScoreRow, ...]:
    """Return the ratings by judge and model: overall, by turn, by category, by category and turn.

    Models come best first. Lines that nothing could be in (a second turn of one-turn questions) are left away.

    Raises:
        ValueError: a judgment is about a question that isn't there.
    """
    known = {question.id: question for question in questions}
    if strangers := sorted({str(judgment.question_id) for judgment in judgments} - {str(each) for each in known}):
        raise ValueError(f"judgments are about questions that aren't there: {', '.join(strangers[:10])}")
    rows = []
    for judge in sorted({judgment.judge for judgment in judgments}):
        theirs = [judgment for judgment in judgments if judgment.judge == judge]
        by_model = {
            model: [each for each in theirs if each.model == model] for model in sorted({each.model for each in theirs})
        }
        for model in sorted(by_model, key=lambda name: -(mean_score(by_model[name]).value or 0.0)):
            rows += _model_rows(judge, model, by_model[model], known)
    return tuple(rows)


def slices(questions: Iterable[Question]) -> list[tuple[str | None, Turn | None]]:
    """Return the lines of a table as (category, turn): all, turns, categories, categories by turn."""
    questions = list(questions)
    turns: tuple[Turn, ...] = (1, 2) if any(len(question.turns) > 1 for question in questions) else (1,)
    categories = list(dict.fromkeys(question.category for question in questions))
    return [
        (None, None),
        *((None, turn) for turn in turns),
        *((category, None) for category in categories),
        *((category, turn) for category in categories for turn in turns),
    ]


def _model_rows(
    judge: str, model: str, judgments: Sequence[SingleJudgment], known: dict[QuestionId, Question]
) -> list[ScoreRow]:
    rows = []
    for category, turn in slices(known.values()):
        owed = {
            (question.id, number)
            for question in known.values()
            for number in range(1, min(2, len(question.turns)) + 1)
            if category in (None, question.category) and turn in (None, number)
        }
        here = [each for each in judgments if (each.question_id, each.turn) in owed]
        missing = len(owed) - len({(each.question_id, each.turn) for each in here})
        if owed:
            rows.append(ScoreRow(judge, model, turn, category, mean_score(here), missing))
    return rows


def _interval(scores: Sequence[float], clusters: Sequence[str]) -> tuple[float, float, float, str]:
    from scipy.stats import t

    value, questions = sum(scores) / len(scores), len(set(clusters))
    error = standard_error(scores, clusters)
    bottom, top = min(LOWEST, *scores), max(HIGHEST, *scores)
    if len(set(scores)) == 1:
        low, high = wilson((value - bottom) / (top - bottom), questions, CONFIDENCE)
        scale = top - bottom
        return error, bottom + scale * low, bottom + scale * high, f"all equal: Wilson, {questions} questions"
    half = float(t.ppf((1 + CONFIDENCE) / 2, questions - 1)) * error
    return error, max(bottom, value - half), min(top, value + half), f"Student's t, {questions} questions"


def _key(judgment: SingleJudgment) -> tuple[object, ...]:
    return judgment.question_id, judgment.turn, judgment.model, judgment.judge, judgment.prompt

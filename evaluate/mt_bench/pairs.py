"""Win rates from two games: FastChat's counts, with intervals clustered by question and what the order did."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...collect.intervals import Figure, share
from ..statistics import mean_with_error
from .judgments import PairJudgment
from .questions import Question, Turn
from .slices import Slice, find_slices
from .verdicts import Winner

POINTS: dict[Winner, float] = {"model_1": 1.0, "tie": 0.5, "model_2": 0.0}
_OTHER: dict[Winner, Winner] = {"model_1": "model_2", "model_2": "model_1", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class PairRow:
    """One model against one baseline, or against all others."""

    judge: str
    model: str
    against: tuple[str, ...]
    turn: Turn | None
    """None: both."""
    category: str | None
    """None: all."""
    wins: int
    ties: int
    """Both games say tie, or they disagree."""
    losses: int
    unscored: int
    """Judgments with a verdict that can't be read: left out, never a loss."""
    inconsistent: int
    """Of the ties, how many are games that disagree."""
    shown_first: int
    """Of the inconsistent, how often both games prefer whatever is shown first."""
    shown_second: int
    missing: int
    """Turns of questions in this line that have no judgment at all, opponent by opponent."""
    repeated: int
    """Judgments of the same two answers by the same judge and prompt beyond the first; they count, as with FastChat."""
    win_rate: Figure | None
    """wins / (wins + ties + losses), in [0, 1]; None where nothing is scored."""
    adjusted: Figure | None
    """The same with a tie as half a win."""
    consistency: Figure | None
    """The share of judgments whose two games agree."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A judgment from one model's side."""

    judgment: PairJudgment
    opponent: str
    outcome: Winner | None
    """model_1 is the model whose row it is."""


def pair_table(
    judgments: Sequence[PairJudgment], questions: Sequence[Question], *, baseline: str | None = "gpt-3.5-turbo"
) -> tuple[PairRow, ...]:
    """Return the outcomes by judge and model: overall, by turn, by category, by category and turn.

    Intervals at 95% are clustered by question, for its two turns, and its games against several opponents, stand or
    fall together: Wilson's with the number of independent trials that they are worth, and for the adjusted rate, whose
    ties make it vary less than yes and no, Student's (`mean_with_error`) cut off at 0 and 1.

    Args:
        judgments: Those that don't involve the baseline are not used.
        questions: All that were asked.
        baseline: Whom the models are compared with; None takes every judgment and rates each model against all others.

    Raises:
        ValueError: no judgment involves the baseline, a model meets itself, or a judgment is about a question or a
            turn that isn't there.
    """
    used = [each for each in judgments if baseline in (None, each.model_1, each.model_2)]
    if not used:
        raise ValueError(f"no judgment involves {baseline!r}; the models are {', '.join(_models(judgments))}")
    if any(each.model_1 == each.model_2 for each in used):
        raise ValueError("a model is compared with itself")
    slices = find_slices(questions, [(each.question_id, each.turn) for each in used])
    rows = []
    for judge in sorted({each.judge for each in used}):
        theirs = [each for each in used if each.judge == judge]
        for model in _models(theirs):
            if model != baseline:
                seen = [_from_side(each, model) for each in theirs if model in (each.model_1, each.model_2)]
                against = tuple(sorted({each.opponent for each in seen}))
                rows.append([_row(judge, model, against, part, seen) for part in slices])
    rows.sort(key=lambda lines: (lines[0].judge, -(lines[0].adjusted.value if lines[0].adjusted else 0.0)))
    return tuple(line for lines in rows for line in lines)


def _row(judge: str, model: str, against: tuple[str, ...], part: Slice, seen: Sequence[_Seen]) -> PairRow:
    here = [each for each in seen if (each.judgment.question_id, each.judgment.turn) in part.turns]
    scored = [each for each in here if each.outcome is not None]
    outcomes = [each.outcome for each in scored]
    clusters = [str(each.judgment.question_id) for each in scored]
    torn = [each.judgment for each in scored if not each.judgment.consistent]
    present = {(each.judgment.question_id, each.judgment.turn, each.opponent) for each in here}
    return PairRow(
        judge=judge,
        model=model,
        against=against,
        turn=part.turn,
        category=part.category,
        wins=outcomes.count("model_1"),
        ties=outcomes.count("tie"),
        losses=outcomes.count("model_2"),
        unscored=len(here) - len(scored),
        inconsistent=len(torn),
        shown_first=sum((each.first, each.second) == ("A", "A") for each in torn),
        shown_second=sum((each.first, each.second) == ("B", "B") for each in torn),
        missing=len(part.turns) * len(against) - len(present),
        repeated=len(here) - len({(*_key(each.judgment), each.opponent) for each in here}),
        win_rate=share([float(outcome == "model_1") for outcome in outcomes], clusters),
        adjusted=_adjusted(outcomes, clusters),
        consistency=share([float(bool(each.judgment.consistent)) for each in scored], clusters),
    )


def _adjusted(outcomes: Sequence[Winner | None], clusters: Sequence[str]) -> Figure | None:
    if not outcomes:
        return None
    found = mean_with_error([POINTS[outcome] for outcome in outcomes if outcome is not None], clusters)
    return Figure(found.value, max(0.0, found.low), min(1.0, found.high), found.n)


def _from_side(judgment: PairJudgment, model: str) -> _Seen:
    winner = judgment.winner
    if model == judgment.model_1:
        return _Seen(judgment, judgment.model_2, winner)
    return _Seen(judgment, judgment.model_1, None if winner is None else _OTHER[winner])


def _key(judgment: PairJudgment) -> tuple[object, ...]:
    return judgment.question_id, judgment.turn, judgment.prompt


def _models(judgments: Sequence[PairJudgment]) -> list[str]:
    return sorted({model for each in judgments for model in (each.model_1, each.model_2)})

"""The lines of a table: all questions, each turn, each category, and each category's turns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .questions import Question, QuestionId, Turn

TurnOfQuestion = tuple[QuestionId, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some turns of some questions."""

    category: str | None
    """None: all."""
    turn: Turn | None
    """None: both."""
    turns: frozenset[TurnOfQuestion]


def find_slices(questions: Sequence[Question], judged: Iterable[TurnOfQuestion]) -> list[Slice]:
    """Return the slices that hold anything, categories in the order of the questions.

    Raises:
        ValueError: something was judged that is no turn of these questions; it would stand in no slice.
    """
    turns = {(question.id, turn): question.category for question in questions for turn in question.judged_turns}
    if strangers := sorted({f"{question} (turn {turn})" for question, turn in set(judged) - set(turns)}):
        raise ValueError(
            f"judgments are about {len(strangers)} turns that the questions don't have: {', '.join(strangers[:5])}"
        )
    categories = dict.fromkeys(question.category for question in questions)
    lines: list[tuple[str | None, Turn | None]] = [
        (None, None),
        (None, 1),
        (None, 2),
        *((category, None) for category in categories),
        *((category, turn) for category in categories for turn in _BOTH),
    ]
    slices = [
        Slice(
            category,
            turn,
            frozenset(each for each, its in turns.items() if category in (None, its) and turn in (None, each[1])),
        )
        for category, turn in lines
    ]
    return [each for each in slices if each.turns]


_BOTH: tuple[Turn, Turn] = (1, 2)

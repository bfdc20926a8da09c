"""A judge's rulings on items, asked for in both orders with the same prompt that win rates are judged with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...asking import Question, Reply
from ...collect.item import Item
from ...runs import Progress, silent
from ..judges import Duel, Judge, Order, pair_questions, parse_verdict, put, shown
from ..judges.pairs import INSTRUCTIONS
from ..mt_bench.verdicts import PAIR
from .ruling import Outcome, Ruling

IMITATES = "an answer imitates a verdict or the judge's prompt"
SEVERAL = "the judge's text holds different verdicts"
CUT_OFF = "a verdict was cut off before its end"
MEANING: Mapping[Order, Mapping[str, Outcome]] = {
    "tuned first": {"A": "A", "B": "B", "C": "tie"},
    "base first": {"A": "B", "B": "A", "C": "tie"},
}
"""Candidate A takes the tuned model's place in the questions."""


def ask_rulings(
    items: Sequence[Item],
    judge: Judge,
    store: Path,
    *,
    instructions: str = INSTRUCTIONS,
    max_tokens: int = 512,
    progress: Progress = silent,
) -> list[Ruling]:
    """Ask a judge about both answers of every item in both orders; equal answers are a tie without asking.

    Args:
        items: Pairs of answers.
        judge: An endpoint, or a local model.
        store: Replies (JSON lines); what is there is not asked again.
        instructions: What makes an answer better.
        max_tokens: The longest verdict.
        progress: Called with replies had and questions in all.

    Raises:
        UserError: the endpoint can't be used or the budget is used up; what came is in the store.
    """
    questions = _questions(items, judge, instructions, max_tokens)
    replies = put(list(questions.values()), judge, store, progress)
    given = {game: replies[question.key] for game, question in questions.items()}
    return [_ruling(item, given) for item in items]


def ruling_questions(
    items: Sequence[Item], judge: Judge, *, instructions: str = INSTRUCTIONS, max_tokens: int = 512
) -> list[Question]:
    """Return what `ask_rulings` would ask, to know what it costs."""
    return list(_questions(items, judge, instructions, max_tokens).values())


def _questions(
    items: Sequence[Item], judge: Judge, instructions: str, max_tokens: int
) -> dict[tuple[str, Order], Question]:
    duels = [Duel(item.id, item.prompt, base=item.response_b, tuned=item.response_a) for item in items]
    return pair_questions(duels, judge, instructions=instructions, max_tokens=max_tokens)


def _ruling(item: Item, given: Mapping[tuple[str, Order], Reply]) -> Ruling:
    if (item.id, "tuned first") not in given:
        return Ruling(item.id, "tie", "tie")
    first, second = given[item.id, "tuned first"], given[item.id, "base first"]
    return Ruling(
        item.id, _read(first, "tuned first"), _read(second, "base first"), tuple(_flags(item, (first, second)))
    )


def _read(reply: Reply, order: Order) -> Outcome | None:
    verdict = parse_verdict(reply.text)
    return None if verdict is None else MEANING[order][verdict]


def _flags(item: Item, replies: Sequence[Reply]) -> list[str]:
    found = []
    if any(shown(answer) != answer for answer in (item.response_a, item.response_b)):
        found.append(IMITATES)
    if any(len(set(PAIR.findall(reply.text))) > 1 for reply in replies):
        found.append(SEVERAL)
    if any(reply.finish == "length" and parse_verdict(reply.text) is None for reply in replies):
        found.append(CUT_OFF)
    return found

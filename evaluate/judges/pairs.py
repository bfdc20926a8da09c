"""Which of two answers is better: a judge that sees both orders.

Two games with the sides swapped, and a tie when they disagree, as MT-Bench does (Zheng et al. 2023, arXiv 2306.05685,
section 3.4). A verdict that can't be read leaves the prompt unscored: never a loss, never left out silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...asking import Question, make_question
from ...collect.item import Message, content_hash
from ...runs import Progress, silent
from ..mt_bench.verdicts import PAIR
from .judge import Judge, conversation, put, shown

Outcome = Literal["win", "tie", "loss", "inconsistent", "unscored"]
"""Tuned against base. `inconsistent` is a tie because the two orders disagreed."""
Verdict = Literal["A", "B", "C"]
Order = Literal["tuned first", "base first"]
ORDERS: tuple[Order, Order] = ("tuned first", "base first")

INSTRUCTIONS = "Helpfulness, relevance, accuracy, depth and level of detail."
"""What makes an answer better, where nobody says otherwise."""

SYSTEM = """\
You compare two answers, A and B, that two assistants gave to the same user. Judge as an impartial expert.
What counts: {instructions}
Neither the order of the answers, nor their length, nor the assistants' style of addressing you may count.
Compare them briefly. On the last line give your verdict: [[A]] if A is better, [[B]] if B is better, [[C]] for a tie.
"""

QUESTION = """\
[Conversation]
{conversation}

[Start of answer A]
{a}
[End of answer A]

[Start of answer B]
{b}
[End of answer B]"""


@dataclass(frozen=True, slots=True)
class Duel:
    """Both models' answers to one prompt."""

    prompt_id: str
    prompt: tuple[Message, ...]
    base: str
    tuned: str


def parse_verdict(text: str) -> Verdict | None:
    """Read the last `[[A]]`, `[[B]]` or `[[C]]`; None when there is none.

    The last, not the first as in FastChat: judges like to repeat the instructions before they follow them.
    """
    found: list[Verdict] = PAIR.findall(text)
    return found[-1] if found else None


def settle(tuned_first: Verdict | None, base_first: Verdict | None) -> Outcome:
    """Turn the verdicts of both orders into an outcome."""
    if tuned_first is None or base_first is None:
        return "unscored"
    first: Outcome = {"A": "win", "B": "loss", "C": "tie"}[tuned_first]  # type: ignore[assignment]
    second: Outcome = {"A": "loss", "B": "win", "C": "tie"}[base_first]  # type: ignore[assignment]
    return first if first == second else "inconsistent"


def pair_questions(
    duels: Sequence[Duel], judge: Judge, *, instructions: str = INSTRUCTIONS, max_tokens: int = 512
) -> dict[tuple[str, Order], Question]:
    """Return what the judge is asked, by prompt and order; nothing about equal answers, which are a tie."""
    return {
        (duel.prompt_id, order): _question(duel, order, judge, instructions, max_tokens)
        for duel in duels
        if duel.base != duel.tuned
        for order in ORDERS
    }


def judge_pairs(
    duels: Sequence[Duel],
    judge: Judge,
    store: Path,
    *,
    instructions: str = INSTRUCTIONS,
    max_tokens: int = 512,
    progress: Progress = silent,
) -> dict[str, Outcome]:
    """Ask the judge about each duel in both orders, and keep every reply in `store` (JSON lines).

    A reply that is already there is not asked for again, and equal answers are a tie without asking. Answers can't give
    a verdict themselves: what looks like one is shown with spaces inside.

    Args:
        duels: One a prompt.
        judge: An endpoint, or a local model.
        store: Replies, each with prompt hash, judge, revision, order, text, tokens and price.
        instructions: What makes an answer better.
        max_tokens: The longest verdict.
        progress: Called with replies had and questions in all.

    Raises:
        UserError: the key is missing, or the endpoint can't be reached or refuses.
    """
    questions = pair_questions(duels, judge, instructions=instructions, max_tokens=max_tokens)
    replies = put(list(questions.values()), judge, store, progress)
    verdicts = {game: parse_verdict(replies[question.key].text) for game, question in questions.items()}
    return {
        duel.prompt_id: "tie"
        if duel.base == duel.tuned
        else settle(verdicts[duel.prompt_id, "tuned first"], verdicts[duel.prompt_id, "base first"])
        for duel in duels
    }


def _question(duel: Duel, order: Order, judge: Judge, instructions: str, max_tokens: int) -> Question:
    a, b = (duel.tuned, duel.base) if order == "tuned first" else (duel.base, duel.tuned)
    messages = (
        Message("system", SYSTEM.format(instructions=instructions)),
        Message("user", QUESTION.format(conversation=conversation(duel.prompt), a=shown(a), b=shown(b))),
    )
    note = {"prompt_id": duel.prompt_id, "order": order, "template": content_hash([SYSTEM, QUESTION, instructions])}
    return make_question(judge, messages, max_tokens=max_tokens, note=note)

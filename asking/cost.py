"""What questions will cost: estimated before they are asked, and never more than the budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .question import Question, read_replies, split
from .settings import EndpointSettings

MILLION = 1_000_000
BYTES_A_TOKEN = 4
"""Of English text, for estimates; a bound takes a token a byte, which no byte-level vocabulary exceeds."""
FRAME = 32
"""The most tokens that a chat template adds to a message, or on its own."""


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What is known of the questions, and what asking the rest will take."""

    known: int
    """Replies that are in the store: not asked again."""
    owed: int
    """Questions that will be asked."""
    input_tokens: int
    """Estimated at four bytes a token."""
    input_tokens_at_most: int
    output_tokens: int
    """Estimated by the replies in the store; without any, the bound."""
    output_tokens_at_most: int
    price: float | None
    """None where no prices are given."""
    price_at_most: float | None
    spent: float
    """What the replies in the store have cost."""


def estimate_cost(questions: Sequence[Question], settings: EndpointSettings, store: Path) -> CostEstimate:
    """Return what asking will take, before anything is sent.

    Args:
        questions: All of them; those with a reply in the store, and repetitions, cost nothing.
        settings: With prices, if prices are wanted.
        store: JSON lines of replies; needn't exist.
    """
    known, owed = split(questions, store)
    asked = sum(_input_tokens(question) for question in owed)
    asked_at_most = sum(input_tokens_at_most(question) for question in owed)
    answered_at_most = sum(question.max_tokens for question in owed)
    lengths = [reply.output_tokens for reply in known.values() if reply.output_tokens is not None]
    answered = round(len(owed) * sum(lengths) / len(lengths)) if lengths else answered_at_most
    return CostEstimate(
        known=len(known),
        owed=len(owed),
        input_tokens=asked,
        input_tokens_at_most=asked_at_most,
        output_tokens=min(answered, answered_at_most),
        output_tokens_at_most=answered_at_most,
        price=price_of(settings, asked, answered),
        price_at_most=price_of(settings, asked_at_most, answered_at_most),
        spent=spent_in(store),
    )


def describe_cost(estimate: CostEstimate) -> str:
    """Say it in one sentence."""
    text = f"{estimate.owed} questions to ask ({estimate.known} are answered already)"
    text += f", about {estimate.input_tokens:,} tokens in and at most {estimate.output_tokens_at_most:,} out"
    if estimate.price is not None and estimate.price_at_most is not None:
        text += f": about {estimate.price:.2f}, at most {estimate.price_at_most:.2f}"
    return text + "."


def price_of(settings: EndpointSettings, input_tokens: int, output_tokens: int) -> float | None:
    """Return the price of so many tokens; None where no prices are given."""
    if settings.input_price is None or settings.output_price is None:
        return None
    return (input_tokens * settings.input_price + output_tokens * settings.output_price) / MILLION


def input_tokens_at_most(question: Question) -> int:
    """Return a bound on the tokens of a question under any byte-level vocabulary and usual chat template."""
    return FRAME + sum(FRAME + len(message.content.encode()) for message in question.messages)


def tokens_expected(question: Question) -> int:
    """Return what a question counts against a limit of tokens: its estimate, and the longest reply."""
    return _input_tokens(question) + question.max_tokens


def most_of(question: Question, settings: EndpointSettings) -> float | None:
    """Return the most that a question can cost; None where no prices are given."""
    return price_of(settings, input_tokens_at_most(question), question.max_tokens)


def spent_in(store: Path) -> float:
    """Return what all replies of a store have cost."""
    return sum(reply.price or 0.0 for reply in read_replies(store).values())


class Purse:
    """A budget shared by all that are asking: what a question can cost at most is set aside before it is sent."""

    def __init__(self, budget: float | None, spent: float) -> None:
        self.budget = budget
        self.spent = spent
        self.reserved = 0.0
        self.changed = asyncio.Condition()

    async def reserve(self, amount: float) -> bool:
        """Set the amount aside, waiting for questions under way whose price may leave room; False if there is none."""
        async with self.changed:
            while self.budget is not None and self.spent + self.reserved + amount > self.budget:
                if not self.reserved:
                    return False
                await self.changed.wait()
            self.reserved += amount
            return True

    async def settle(self, amount: float, price: float) -> None:
        """Give back what was set aside, less what was paid."""
        async with self.changed:
            # Exactly nothing when nothing is under way, whatever was added and taken away before.
            self.reserved = max(0.0, self.reserved - amount)
            if self.reserved < 1e-12:
                self.reserved = 0.0
            self.spent += price
            self.changed.notify_all()


def _input_tokens(question: Question) -> int:
    return sum(8 + -(-len(message.content.encode()) // BYTES_A_TOKEN) for message in question.messages)

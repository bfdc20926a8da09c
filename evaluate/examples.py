"""The examples on the report's page: what they can be filtered by, without a script."""

from collections.abc import Sequence
from dataclasses import dataclass

from .parts import Example

OUTCOMES = {
    "win": "tuned wins",
    "tie": "tie",
    "inconsistent": "tie: the orders disagree",
    "loss": "base wins",
    "unscored": "unscored",
}
"""What an outcome is called on the page."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that examples can be filtered by."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing that examples differ in."""

    key: str
    """In element names; values are numbered, as they may hold anything."""
    title: str
    choices: tuple[Choice, ...]


def filters(examples: Sequence[Example]) -> tuple[Filter, ...]:
    """Return what the examples can be filtered by: who won, and their tags, each only where they differ in it."""
    outcomes = [example.outcome for example in examples]
    tags = sorted({tag for example in examples for tag in example.tags})
    won = tuple(Choice(name, label, outcomes.count(name)) for name, label in OUTCOMES.items() if name in outcomes)
    tagged = tuple(Choice(tag, tag, sum(tag in example.tags for example in examples)) for tag in tags)
    found = Filter("outcome", "Who won", won), Filter("tag", "Kind", tagged)
    return tuple(one for one in found if len(one.choices) > 1)


def marks(example: Example, shown: Sequence[Filter]) -> str:
    """Return the class names by which the page's filters find an example."""
    held: dict[str, tuple[str | None, ...]] = {"outcome": (example.outcome,), "tag": example.tags}
    return " ".join(
        f"{one.key}-{number}"
        for one in shown
        for number, choice in enumerate(one.choices, 1)
        if choice.value in held[one.key]
    )

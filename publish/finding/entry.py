"""What is known of a release without its weights: read from the card's metadata, or from the release's own files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat, ValidationError, model_validator

from ...errors import UserError

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
LONGEST = 2000
"""Characters of a text that a card may have; what is longer is cut."""
MOST = 100
"""Scores, tags or languages that a card may have."""


def plain(text: object) -> object:
    """Return a text on one line, without what moves a terminal's cursor or turns the direction of reading."""
    return " ".join(UNPRINTABLE.sub(" ", text).split())[:LONGEST] if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(plain)]


class Score(BaseModel, frozen=True):
    """One number of the tuned model. Shares are in [0, 1], a difference in [-1, 1]."""

    name: Text
    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    n: int = Field(ge=0)
    """Pairs, prompts or questions."""
    task: Text = ""
    """The identifier that filters use, `task_check`; empty for a difference."""

    @model_validator(mode="after")
    def _in_order(self) -> "Score":
        if not self.low <= self.high:
            raise ValueError(f"the interval goes from {self.low} to {self.high}")
        return self


class Overlap(BaseModel, frozen=True):
    """How many evaluation items the training data holds."""

    items: int = Field(ge=0)
    """That were looked at."""
    overlapping: int = Field(ge=0)


class Block(BaseModel, frozen=True):
    """The key `prefloop` of the card's metadata; the module `publish.card.metadata` tells its shape."""

    task: Text
    verdict: Literal["better", "worse", "can't tell yet"]
    confidence: FiniteFloat = Field(gt=0, lt=1)
    headline: Score
    difference: Score
    results: tuple[Score, ...] = Field(default=(), max_length=MOST)
    version: Text = ""
    base_sha256: Text = ""
    parameters: int | None = Field(default=None, gt=0)
    contamination: Overlap | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_the_difference(cls, block: Any) -> Any:
        difference = block.get("difference") if isinstance(block, Mapping) else None
        if isinstance(difference, Mapping):
            return {**block, "difference": {"name": "difference to its base", **difference}}
        return block


@dataclass(frozen=True, slots=True)
class Entry:
    """One release."""

    name: str
    """Its Hub name, or the release's own."""
    where: str
    """The folder as it was found, or the page on the Hub."""
    hub: bool
    """Whether it lies on the Hub."""
    block: Block
    base: str
    licence: str
    """As the Hub spells it; empty where the card names none."""
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    updated: str
    """ISO 8601; empty where it isn't known."""
    revision: str = ""
    """The Hub commit."""
    release: str = ""
    """Its newest tag, `v2`."""
    private: bool = False
    """Whether it is private on the Hub."""

    @property
    def text(self) -> str:
        """What a search looks through."""
        return " ".join((self.name, self.block.task, *self.tags, self.base))

    def row(self) -> dict[str, Any]:
        """Return everything as one level of JSON; `prefloop` is the version that measured."""
        row = asdict(self) | self.block.model_dump(mode="json", exclude={"version"}) | {"prefloop": self.block.version}
        del row["block"]
        return row


def read_block(card: Mapping[str, Any]) -> Block:
    """Return prefloop's key of a card's metadata.

    Raises:
        UserError: there is none, or it is not as prefloop writes it.
    """
    found = card.get("prefloop")
    if found is None:
        raise UserError("the card's metadata has no key prefloop: published by hand, or before prefloop wrote it")
    return check_block(found)


def check_block(found: object) -> Block:
    """Return these numbers if they are as prefloop writes them.

    Raises:
        UserError: they are not.
    """
    try:
        return Block.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("prefloop", *first["loc"]))
        raise UserError(f"{plain(where)}: {first['msg'].removeprefix('Value error, ')}") from error


def card_text(card: Mapping[str, Any], key: str) -> str:
    """Return a key's text on one line; of several the first, and nothing where there is none."""
    return next(iter(card_texts(card, key)), "")


def card_texts(card: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a key's texts, each on one line, whether the card has one or several."""
    found = card.get(key)
    many: Sequence[object] = found if isinstance(found, list | tuple) else (found,)
    return tuple(str(plain(one)) for one in many[:MOST] if isinstance(one, str) and one.strip())

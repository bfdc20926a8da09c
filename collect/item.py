"""An item: one prompt, two or more candidate responses, and where each came from."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict

from ..asking.message import Message, Role, content_hash, prompt_rows

__all__ = [
    "LETTERS",
    "Candidate",
    "Item",
    "Message",
    "Origin",
    "Role",
    "Side",
    "content_hash",
    "prompt_rows",
    "response",
]

Side = Literal["A", "B"]
LETTERS = "ABCDEFGHIJ"
"""The candidates' names, in the item's order."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who or what wrote a candidate response. Never shown to annotators, never stored in Argilla."""

    kind: Literal["model", "dataset", "person"]
    name: str
    """A model id or adapter hash, a data set, or a pseudonym."""
    revision: str | None = None
    row: str | None = None
    """The row within a data set."""
    sampling: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Sampling settings when a model wrote it: temperature, top_p, seed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A response and who wrote it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    response: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt and two candidate responses, or more of them for a ranking.

    `A`, `B`, … name the candidates; in which order an annotator sees them is drawn separately (`sides.py`).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    prompt: tuple[Message, ...]
    response_a: str
    response_b: str
    origin_a: Origin
    origin_b: Origin
    tags: tuple[str, ...] = ()
    """Slices of the report, for example `form` or `substance`. Kept out of Argilla."""
    more: tuple[Candidate, ...] = ()
    """Candidates C, D, … of an item to be ranked."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, in the order of their letters."""
        return (Candidate(self.response_a, self.origin_a), Candidate(self.response_b, self.origin_b), *self.more)

    @property
    def id(self) -> str:
        """The content hash (16 hex digits) of the prompt, all responses in order, and who wrote them.

        Two models that wrote the same text are two items: people may have judged them apart, and no vote is lost.
        """
        origins = [_origin_row(self.origin_a), _origin_row(self.origin_b)]
        more = [[candidate.response, _origin_row(candidate.origin)] for candidate in self.more]
        two = [prompt_rows(self.prompt), self.response_a, self.response_b, origins]
        return content_hash([*two, more] if more else two)

    @property
    def prompt_id(self) -> str:
        """The content hash (16 hex digits) of the prompt alone: what the sealed split goes by."""
        return content_hash(prompt_rows(self.prompt))


def response(item: Item, side: Side) -> str:
    """Return one of the item's first two candidates' responses."""
    return item.response_a if side == "A" else item.response_b


def _origin_row(origin: Origin) -> dict[str, object]:
    # As `asdict` has it, without its deep copies: an import is a quarter faster.
    return {
        "kind": origin.kind,
        "name": origin.name,
        "revision": origin.revision,
        "row": origin.row,
        "sampling": origin.sampling,
    }

"""A preference pair: for this prompt, `chosen` was preferred to `rejected`, and these votes say so."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from .item import Message, content_hash, prompt_rows

PairKind = Literal["vote", "edit_over_chosen", "edit_over_rejected"]
TIE: Literal["tie"] = "tie"
"""The kind of a row whose two answers were judged equally good: no preference, and kept apart from those."""


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """One row of training or evaluation data, traceable to its votes."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    weight: float
    """The share of the item's counted votes that agree with this order, in (0, 1]; 1 for an edit."""
    item_id: str
    vote_ids: tuple[str, ...]
    kind: PairKind | Literal["tie"] = "vote"
    tags: tuple[str, ...] = ()
    sealed: bool = False
    """Set apart for evaluation: refused wherever pairs are trained on or given away for training."""
    preferred: float | None = None
    """The share of the counted votes that prefer `chosen`, those for neither answer counting half, in [0.5, 1]; of an
    aggregating model its posterior likewise. None where a source gives only a weight."""

    @property
    def id(self) -> str:
        """The content hash (16 hex digits) of prompt, chosen and rejected."""
        return content_hash([prompt_rows(self.prompt), self.chosen, self.rejected])

    @property
    def prompt_id(self) -> str:
        """The content hash (16 hex digits) of the prompt alone."""
        return content_hash(prompt_rows(self.prompt))

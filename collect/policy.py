"""The policy that turns votes into pairs: explicit, and written down with what it left out."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from .pair import PairKind

Aggregate = Literal["majority", "dawid_skene", "mace"]


class PairSettings(BaseModel, extra="forbid", frozen=True):
    """How votes become preference pairs. Ties and both-bad items never do: plain DPO on ties costs task scores
    (arXiv:2409.17431), and a pair of two bad answers teaches a bad one. They are kept among the votes and counted.
    """  # noqa: D205

    aggregate: Literal["majority", "dawid_skene", "mace"] = "majority"
    """How votes add up: the most votes, or weighed by each annotator's reliability (Dawid-Skene 1979, MACE 2013)."""
    min_margin: int = Field(1, ge=1)
    """Votes by which the winner must lead; only with `aggregate: majority`."""
    min_probability: float = Field(0.0, ge=0, le=1)
    """The least probability of a verdict that gives a pair: the share of votes behind it, or the model's posterior."""
    min_strength: float = Field(0.0, ge=0, le=4)
    """The least mean strength (1 to 4) of the votes behind a verdict; 0 takes all, and votes that gave none."""
    kinds: tuple[PairKind, ...] = Field(("vote", "edit_over_chosen", "edit_over_rejected"), min_length=1)
    """Which pairs are made: chosen over rejected, an edit over the chosen answer, an edit over the rejected one."""

    @model_validator(mode="after")
    def _margin_counts_votes(self) -> "PairSettings":
        if self.aggregate != "majority" and self.min_margin != 1:
            raise ValueError(
                f"min_margin counts votes and goes with aggregate: majority; with {self.aggregate} use min_probability"
            )
        return self

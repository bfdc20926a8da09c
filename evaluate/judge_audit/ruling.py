"""What a judge said of one item: a verdict with each answer shown first, by candidate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...collect.item import Side

Outcome = Side | Literal["tie"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """Both verdicts of a judge on one item."""

    item_id: str
    a_first: Outcome | None
    """The better candidate, asked with A shown first; None where the verdict can't be read."""
    b_first: Outcome | None
    flags: tuple[str, ...] = ()
    """What looked suspicious when the answers and the verdicts were read."""

    @property
    def outcome(self) -> Outcome | None:
        """Both verdicts together: a tie where they disagree (arXiv 2306.05685, section 3.4); None if one is missing."""
        if self.a_first is None or self.b_first is None:
            return None
        return self.a_first if self.a_first == self.b_first else "tie"

    @property
    def readable(self) -> bool:
        """Whether both verdicts could be read."""
        return self.a_first is not None and self.b_first is not None


POINTS: Mapping[Outcome, float] = {"A": 1.0, "B": 0.0, "tie": 0.5}
"""What an outcome is worth to candidate A."""

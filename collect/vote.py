"""A vote: one annotator's answer on one item, with nothing lost on the way out of Argilla."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict

from .item import Side

Choice = Literal["A", "B", "tie", "both_bad", "skip"]
CHOICES: tuple[Choice, ...] = ("A", "B", "tie", "both_bad", "skip")
Status = Literal["submitted", "draft", "discarded"]


@dataclass(frozen=True, slots=True)
class Vote:
    """One annotator's answer on one item.

    In a ranking, `choice` and `left` say how candidates A and B compare and which of the two was shown first;
    `rankings.pairwise` says it of every two candidates.

    `choice` is None only in a draft that has not chosen yet; `skip` is a discarded record without a choice.
    Only submitted votes count (`counts`); the others are kept and counted as left out.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    item_id: str
    annotator: str
    choice: Choice | None
    left: Side | None
    """Which candidate was shown first; None where an imported source does not say."""
    status: Status = "submitted"
    strength: int | None = None
    """How much better, 1 (negligibly) to 4 (significantly), where the queue asks for it."""
    criteria: dict[str, int] = field(default_factory=dict)
    """Ratings of the better answer, 1 to 5, by criterion."""
    ratings: dict[str, dict[str, int]] = field(default_factory=dict)
    """Ratings of each answer, 1 to 5: by the candidate's letter, then by criterion."""
    ranking: tuple[int | None, ...] | None = None
    """A rank for each candidate in the order of their letters, 1 the best, ties share one; None in a draft's gaps."""
    order: str = ""
    """In a ranking, the candidates' letters in the order they were shown."""
    critique: str | None = None
    edit: str | None = None
    """The annotator's own, better version of the response they chose."""
    seconds: float | None = None
    """Time since the same annotator's previous answer, None for the first one and after a break."""
    suggestion_seen: bool = False
    protocol: str = ""
    """The content hash of the questions and guidelines that were shown."""
    id: str = ""
    """Argilla's response id, or the recorded vote's own."""
    inserted_at: str = ""
    """ISO 8601, UTC, from the server."""
    updated_at: str = ""

    @property
    def counts(self) -> bool:
        """Whether this vote takes part in verdicts."""
        return self.status == "submitted" and self.choice not in (None, "skip")

"""What a release says of the votes behind its pairs, and of the releases that it was made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..collect import Sealed, Vote

Role = Literal["base", "base_adapter", "writer"]


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An earlier release of prefloop's that took part: trained on, gone on from, or a writer of candidates."""

    role: Role
    name: str
    """The release's own name: on the Hub, or of its recipe."""
    revision: str | None
    """The Hub commit, where it was taken from the Hub."""
    sha256: str
    """What took part: an adapter's fingerprint, or a whole model's."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The people's side of a run, with no name in it."""

    votes: Sequence[Vote]
    """All votes on the run's items, annotators by pseudonym."""
    adjudications: Sequence[Vote]
    """The adjudicators' answers, likewise."""
    sealed: Sealed
    guidelines_sha256: str | None
    """Over what annotators read, as in the data set's lineage.json; None where it is not on record."""
    ancestors: Sequence[Ancestor] = ()

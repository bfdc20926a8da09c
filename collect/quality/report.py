"""Everything a quality report says, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..intervals import Figure
from ..item import Message
from ..reliability import Skill
from ..sampling.arms import Arm
from ..sampling.suggestions import SuggestionEffect
from .bias import Bin, Speed
from .ledger import Ledger

Verdict = Literal["yes", "almost", "no", "too few"]
Kind = Literal["disagrees", "side", "length", "drift", "haste", "gold", "all"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One annotator in numbers. None stands where there are no votes to tell it from."""

    annotator: str
    votes: int
    """Counted votes; of a ranking, one for each two answers."""
    agreement: Figure | None
    """Share of votes as the majority of the others', where there is one."""
    dawid_skene: float | None
    """Chance of naming the true choice, as Dawid-Skene sees it."""
    mace: float | None
    """Chance of not guessing, as MACE sees it."""
    skill: Skill | None
    gold: Figure | None
    first: Figure | None
    """Share of A/B votes for the answer shown first."""
    longer: Figure | None
    """Share of A/B votes for the longer answer."""
    taste_for_length: float | None
    """The same minus that of the others' majority on the same items."""
    speed: Speed | None
    drift: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to act on."""

    kind: Kind
    annotator: str | None
    """None where it concerns all."""
    words: str
    p: float | None = None
    """Probability of it by chance, adjusted for all annotators and checks looked at (Holm 1979)."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item on which annotators differ."""

    item_id: str
    choices: dict[str, int]
    """Counted votes by choice; of a ranking, by two letters and choice."""
    entropy: float
    """Of the votes, in bits: 0 where all agree, 1 where two choices split them evenly."""
    doubt: float
    """Entropy of Dawid-Skene's posterior, in bits: low where the reliable annotators agree."""
    sealed: bool
    """Whether its prompt is sealed: the report then shows no text."""
    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    critiques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What people said, how far it can be relied on, and what it took."""

    verdict: Verdict
    summary: str
    advice: tuple[str, ...]
    """What to do first, most urgent first."""
    findings: tuple[Finding, ...]
    items: int
    votes: int
    """Counted votes; of a ranking, one for each two answers."""
    statuses: dict[str, int]
    choices: dict[str, int]
    rated_twice: int
    """Items with at least two counted votes."""
    alpha: Figure | None
    ordinal: Figure | None
    """Alpha on the scale from B to A, both-bad votes left out."""
    fleiss: Figure | None
    """Only where every item has equally many votes."""
    pairwise: Figure | None
    cohen: tuple[tuple[str, str, Figure | None, int], ...]
    """(annotator, annotator, kappa, items that both voted on)."""
    criteria: dict[str, Figure | None]
    """Ordinal alpha of each criterion's ratings of the same answer."""
    profiles: tuple[Profile, ...]
    first: Figure | None
    longer: Figure | None
    """Share of decided items whose winner is the longer answer, clustered by prompt."""
    speed: Speed | None
    strength: dict[int, Figure]
    gold: Figure | None
    disputes: tuple[Dispute, ...]
    """Most disputed first."""
    adjudicated: int
    policy: Mapping[str, Any]
    outcomes: dict[str, int]
    left_out: dict[str, tuple[str, ...]]
    pairs: int
    edits: int
    ledger: Ledger
    currency: str
    arms: tuple[Arm, ...]
    """What each way of selecting items brought; empty where none were selected."""
    suggestions: SuggestionEffect | None
    """What seeing a suggestion did to the votes."""

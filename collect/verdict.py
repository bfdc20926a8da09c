"""A verdict: what the votes on one item add up to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from .item import Item, response
from .pair import PreferencePair
from .sides import other
from .vote import Choice, Vote

Outcome = Choice | Literal["undecided", "unvoted"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The plurality of an item's counted votes."""

    item_id: str
    outcome: Outcome
    """`undecided` where no choice leads by the margin asked for, `unvoted` where no vote counts."""
    probability: float
    """The share of counted votes behind the outcome, 0 to 1."""
    votes: tuple[Vote, ...]
    """The counted votes."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs that the votes support, and what became of every item."""

    pairs: tuple[PreferencePair, ...]
    outcomes: dict[str, int]
    """Items by outcome; they add up to all items."""
    left_out: dict[str, tuple[str, ...]]
    """Why an item gave no pair, with the items' ids."""
    edits: int
    """Edits that became pairs of their own."""
    edits_left_out: tuple[str, ...]
    """Ids of votes whose edit did not become a pair: the item is undecided, or the edit changes nothing."""


def verdict(item_id: str, votes: Sequence[Vote], *, min_margin: int = 1) -> Verdict:
    """Add up one item's votes: the choice with the most, if it leads by `min_margin`."""
    counted = tuple(vote for vote in votes if vote.counts)
    if not counted:
        return Verdict(item_id, "unvoted", 0.0, ())
    ranked = Counter(vote.choice for vote in counted).most_common()
    (first, most), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0
    outcome: Outcome = first if first is not None and most - second >= min_margin else "undecided"
    return Verdict(item_id, outcome, most / len(counted), counted)


def make_pairs(items: Sequence[Item], votes: Sequence[Vote], *, min_margin: int = 1) -> Pairs:
    """Turn votes into preference pairs.

    A or B gives `chosen > rejected`; each edit of the chosen answer gives `edit > chosen` and `edit > rejected` besides
    (Llama 3's order, arXiv:2407.21783). Ties, both-bad, undecided and unvoted items give none and are counted.
    """
    by_item = {
        key: list(rows)
        for key, rows in groupby(sorted(votes, key=lambda vote: vote.item_id), lambda vote: vote.item_id)
    }
    verdicts = [(item, verdict(item.id, by_item.get(item.id, []), min_margin=min_margin)) for item in items]
    pairs = [pair for item, found in verdicts for pair in _pairs(item, found)]
    used = {vote_id for pair in pairs if pair.kind != "vote" for vote_id in pair.vote_ids}
    edits = [vote.id for vote in votes if vote.edit and vote.counts]
    left_out: dict[str, list[str]] = {}
    for item, found in verdicts:
        if found.outcome not in ("A", "B"):
            left_out.setdefault(found.outcome, []).append(item.id)
    return Pairs(
        tuple(pairs),
        dict(Counter(found.outcome for _, found in verdicts)),
        {reason: tuple(ids) for reason, ids in left_out.items()},
        len(used),
        tuple(vote_id for vote_id in edits if vote_id not in used),
    )


def _pairs(item: Item, found: Verdict) -> list[PreferencePair]:
    if found.outcome not in ("A", "B"):
        return []
    chosen, rejected = response(item, found.outcome), response(item, other(found.outcome))

    def pair(better: str, worse: str, weight: float, votes: Sequence[Vote], kind: str) -> PreferencePair:
        ids = tuple(vote.id for vote in votes)
        return PreferencePair(item.prompt, better, worse, weight, item.id, ids, kind, item.tags)  # type: ignore[arg-type]

    pairs = [pair(chosen, rejected, found.probability, found.votes, "vote")]
    for vote in found.votes:
        if vote.edit and vote.choice == found.outcome and vote.edit.strip() not in (chosen.strip(), rejected.strip()):
            pairs.append(pair(vote.edit, chosen, 1.0, [vote], "edit_over_chosen"))
            pairs.append(pair(vote.edit, rejected, 1.0, [vote], "edit_over_rejected"))
    return pairs

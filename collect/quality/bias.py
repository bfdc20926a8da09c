"""What moves votes beside the answers' worth: the side, the length, the hour, haste."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ..intervals import Figure, share
from ..item import Item, Side
from ..reliability import Check
from ..vote import Vote

READING = 238
"""Words a minute in silent reading of English (Brysbaert 2019, J. Mem. Lang. 109, 104047)."""
TOO_FAST = READING * 4
"""Nobody reads two answers at this many words a minute; a vote that quick was not read, or not cast by hand."""
BLINK = 1.0
"""Seconds under which a vote is too fast however short the texts are."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds for a vote; only votes whose time is known (not an annotator's first one, not after a break)."""

    n: int
    median: float
    p10: float
    p90: float
    too_fast: Figure
    """The share of votes cast faster than anybody reads both answers (`TOO_FAST`)."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A stretch of an annotator's votes, in the order they were cast."""

    first: int
    """The number of the stretch's first vote, from 1."""
    last: int
    agreement: Figure | None
    """With the others' majority; None where no vote could be checked."""
    seconds: float | None
    """The median; None where no time is known."""


def first_chosen(votes: Iterable[Vote]) -> list[tuple[Vote, bool]]:
    """Return the A/B votes whose shown side is known, and whether each is for the answer shown first."""
    return [(v, v.choice == v.left) for v in votes if v.counts and v.choice in ("A", "B") and v.left is not None]


def longer_side(item: Item) -> Side | None:
    """Return the longer of the first two answers, in characters; None where they are equally long."""
    a, b = len(item.response_a), len(item.response_b)
    return None if a == b else "A" if a > b else "B"


def longer_chosen(votes: Iterable[Vote], items: Mapping[str, Item]) -> list[tuple[Vote, bool]]:
    """Return the A/B votes on answers of unequal length, and whether each is for the longer one."""
    rows = [(vote, longer_side(items[vote.item_id])) for vote in votes if vote.counts and vote.item_id in items]
    return [(vote, vote.choice == side) for vote, side in rows if side and vote.choice in ("A", "B")]


def against_habit(checks: Iterable[Check], habit: Callable[[Vote], Side | None]) -> list[tuple[Vote, float]]:
    """Return how each checked A/B vote leans to a side beyond the majority that it was checked against: -1, 0 or 1.

    Where that side really is better, everybody prefers it and the difference is 0: only a habit of one's own shows.

    Args:
        checks: Against the others' majority; those that expect no A or B are left out.
        habit: Which side the habit would choose, for example the longer answer's; None where it has no say.
    """
    rows = []
    for check in checks:
        side, vote = habit(check.vote), check.vote
        if side and vote.choice in ("A", "B") and check.expected in ("A", "B"):
            rows.append((vote, float(vote.choice == side) - float(check.expected == side)))
    return rows


def speed(votes: Sequence[Vote], items: Mapping[str, Item]) -> Speed | None:
    """Return how long votes took, or None where no time is known."""
    import numpy as np

    rows = [(vote, vote.seconds) for vote in votes if vote.seconds is not None and vote.counts]
    if not rows:
        return None
    low, middle, high = np.quantile([seconds for _, seconds in rows], [0.1, 0.5, 0.9])
    fast = share([float(seconds < least_seconds(items.get(vote.item_id))) for vote, seconds in rows])
    assert fast is not None
    return Speed(len(rows), float(middle), float(low), float(high), fast)


def least_seconds(item: Item | None) -> float:
    """Return the time under which nobody has read the answers: their words at `TOO_FAST`, at least `BLINK`."""
    if item is None:
        return BLINK
    words = sum(len(candidate.response.split()) for candidate in item.candidates)
    return max(BLINK, 60 * words / TOO_FAST)


def in_order(votes: Iterable[Vote]) -> list[Vote]:
    """Return votes in the order they were cast; empty where their times are not known."""
    rows = list(votes)
    return sorted(rows, key=lambda vote: (vote.inserted_at, vote.id)) if all(v.inserted_at for v in rows) else []


def drift(checks: Sequence[Check], *, bins: int = 5, least: int = 20) -> list[Bin]:
    """Return agreement and speed over one annotator's checked votes in the order they were cast.

    Args:
        checks: Of one annotator, against the others' majority.
        bins: The most stretches.
        least: Votes that a stretch has at least; with fewer than two such stretches there is nothing to see.
    """
    right = {id(check.vote): check.right for check in checks}
    votes = in_order(check.vote for check in checks)
    count = min(bins, len(votes) // least)
    if count < 2:
        return []
    edges = [len(votes) * number // count for number in range(count + 1)]
    found = []
    for start, end in pairwise(edges):
        part = votes[start:end]
        times = [vote.seconds for vote in part if vote.seconds is not None]
        agreed = share([float(right[id(vote)]) for vote in part], [vote.item_id for vote in part])
        found.append(Bin(start + 1, end, agreed, median(times) if times else None))
    return found


def by_strength(checks: Sequence[Check]) -> dict[int, Figure]:
    """Return agreement with the others' majority by the strength a vote gave: it should rise with it.

    Llama 2's reward model was right in 81% of "significantly better" and 55% of "negligibly better" pairs
    (arXiv:2307.09288, table 8).
    """
    rows: dict[int, list[Check]] = defaultdict(list)
    for check in checks:
        if check.vote.strength is not None:
            rows[check.vote.strength].append(check)
    figures = {
        level: share([float(c.right) for c in part], [c.vote.item_id for c in part]) for level, part in rows.items()
    }
    return {level: figure for level, figure in sorted(figures.items()) if figure}

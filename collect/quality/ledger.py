"""What the votes took, in hours and money, and what a wanted certainty would take."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist, median

from ..item import Item
from ..pair import PreferencePair
from ..vote import Vote
from .bias import least_seconds, longer_side

HALF_WIDTHS = (0.10, 0.05, 0.03, 0.02)
"""Half widths of the intervals that the projection is made for."""


@dataclass(frozen=True, slots=True)
class Hours:
    """One annotator's time."""

    annotator: str
    votes: int
    """All answers given, skips too: they take time as well."""
    timed: int
    """Those whose seconds are known; the others are counted with the annotator's median."""
    hours: float | None
    """None where no time of theirs is known."""
    price: float | None


@dataclass(frozen=True, slots=True)
class Projection:
    """What an interval of this half width on a win rate or an accuracy would take."""

    half_width: float
    pairs: int
    votes: int
    hours: float | None
    price: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Time and money."""

    people: tuple[Hours, ...]
    votes: int
    accepted: int
    """Pairs that votes made (edits not counted), for training and sealed."""
    by_hand: bool
    """False where most votes came faster than anybody reads: replayed or scripted, so that time means nothing."""
    hours: float | None
    price: float | None
    per_vote: float | None
    per_pair: float | None
    votes_per_pair: float | None
    design_effect: float
    """How much wider than independent ones the pairs' intervals are, as a variance: several share a prompt."""
    projections: tuple[Projection, ...]


def ledger(
    items: Sequence[Item], votes: Sequence[Vote], pairs: Sequence[PreferencePair], *, price_per_hour: float | None
) -> Ledger:
    """Add up what the votes took.

    Args:
        items: All items, for what there was to read.
        votes: All answers, drafts left out of the count.
        pairs: The accepted pairs, for training and sealed.
        price_per_hour: In any currency; without it all prices are None.
    """
    given = [vote for vote in votes if vote.status != "draft"]
    by_hand = _by_hand(items, given)
    people = tuple(_hours(name, rows, price_per_hour) for name, rows in _by_annotator(given).items()) if by_hand else ()
    known = [person.hours for person in people]
    hours = sum(hour for hour in known if hour is not None) if known and None not in known else None
    accepted = [pair for pair in pairs if pair.kind == "vote"]
    price = hours * price_per_hour if hours is not None and price_per_hour else None
    per_pair = len(given) / len(accepted) if accepted else None
    effect = design_effect(items, accepted)
    return Ledger(
        people=people,
        votes=len(given),
        accepted=len(accepted),
        by_hand=by_hand,
        hours=hours,
        price=price,
        per_vote=price / len(given) if price is not None and given else None,
        per_pair=price / len(accepted) if price is not None and accepted else None,
        votes_per_pair=per_pair,
        design_effect=effect,
        projections=tuple(
            _projection(half, effect, per_pair, hours / len(given) if hours else None, price_per_hour)
            for half in HALF_WIDTHS
            if per_pair
        ),
    )


def pairs_needed(half_width: float, design_effect: float = 1.0, *, rate: float = 0.5, confidence: float = 0.95) -> int:
    """Return how many pairs an interval of this half width on a rate takes: deff z^2 p (1-p) / h^2.

    Kish 1965, "Survey Sampling", section 8.2, for the design effect; p = 0.5 is the worst case. Miller 2024
    (arXiv 2411.00640), section 5, has the same for a difference of two models.

    Args:
        half_width: In (0, 1), for example 0.05 for plus or minus five points.
        design_effect: At least 1; see the function of this name.
        rate: The rate expected, in (0, 1).
        confidence: Of the interval.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return ceil(design_effect * z * z * rate * (1 - rate) / half_width**2)


def design_effect(items: Sequence[Item], pairs: Sequence[PreferencePair]) -> float:
    """Return how much the pairs' variance grows because several share a prompt: 1 + (m - 1) ICC (Kish 1965, 8.2).

    What a model will get right is not known yet, so the likeness within a prompt (the intraclass correlation, by
    analysis of variance) is that of whether the longer answer was chosen, at least 0; m is the mean size of the prompt
    that a pair finds itself in.
    """
    by_id = {item.id: item for item in items}
    groups: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        item = by_id.get(pair.item_id)
        side = longer_side(item) if item else None
        if item and side:
            longer = item.response_a if side == "A" else item.response_b
            groups[pair.prompt_id].append(float(pair.chosen == longer))
    total = sum(map(len, groups.values()))
    if len(groups) < 2 or total == len(groups):
        return 1.0
    size = sum(len(group) ** 2 for group in groups.values()) / total
    return 1 + (size - 1) * max(0.0, _likeness(list(groups.values())))


def _likeness(groups: Sequence[Sequence[float]]) -> float:
    """The intraclass correlation by one-way analysis of variance (Fleiss 1981), for groups of unequal size."""
    total, count = sum(map(len, groups)), len(groups)
    grand = sum(map(sum, groups)) / total
    means = [sum(group) / len(group) for group in groups]
    between = sum(len(g) * (mean - grand) ** 2 for g, mean in zip(groups, means, strict=True)) / (count - 1)
    within = sum((x - mean) ** 2 for g, mean in zip(groups, means, strict=True) for x in g) / (total - count)
    typical = (total - sum(len(group) ** 2 for group in groups) / total) / (count - 1)
    spread = between + (typical - 1) * within
    return (between - within) / spread if spread else 0.0


def _by_hand(items: Sequence[Item], votes: Sequence[Vote]) -> bool:
    """Whether most annotators take as long as reading does: one who hurries must not make the others' time void."""
    by_id = {item.id: item for item in items}
    hurried = []
    for rows in _by_annotator(votes).values():
        timed = [(vote, vote.seconds) for vote in rows if vote.seconds is not None]
        fast = sum(seconds < least_seconds(by_id.get(vote.item_id)) for vote, seconds in timed)
        hurried += [fast > len(timed) / 2] if timed else []
    return bool(hurried) and sum(hurried) <= len(hurried) / 2


def _by_annotator(votes: Sequence[Vote]) -> Mapping[str, list[Vote]]:
    found: dict[str, list[Vote]] = {name: [] for name in sorted(Counter(vote.annotator for vote in votes))}
    for vote in votes:
        found[vote.annotator].append(vote)
    return found


def _hours(annotator: str, votes: Sequence[Vote], price_per_hour: float | None) -> Hours:
    timed = [vote.seconds for vote in votes if vote.seconds is not None]
    hours = (sum(timed) + (len(votes) - len(timed)) * median(timed)) / 3600 if timed else None
    price = hours * price_per_hour if hours is not None and price_per_hour else None
    return Hours(annotator, len(votes), len(timed), hours, price)


def _projection(
    half_width: float, effect: float, votes_per_pair: float, hours_per_vote: float | None, price: float | None
) -> Projection:
    pairs = pairs_needed(half_width, effect)
    votes = ceil(pairs * votes_per_pair)
    hours = votes * hours_per_vote if hours_per_vote else None
    return Projection(half_width, pairs, votes, hours, hours * price if hours and price else None)

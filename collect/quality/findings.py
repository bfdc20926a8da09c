"""Who and what deserves a word: only what is both large enough to matter and too much for chance.

All annotators and checks are looked at together, so their probabilities are adjusted together (Holm 1979): where all
vote honestly, the chance that anybody at all is named is below one in twenty.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from statistics import NormalDist

from ..intervals import Figure, chance_of_difference, chance_of_mean, chance_of_share, effective, holm
from ..reliability import Check
from ..vote import Vote
from .bias import against_habit, first_chosen, in_order, longer_chosen, speed
from .evidence import Evidence
from .report import Finding
from .words import percent, points

FEW = 20
"""Votes of an annotator under which nothing is said of them."""
CHANCE = 0.05
"""Adjusted probability under which something is taken for more than chance."""
GAP = 0.10
"""Difference under which a deviation is not worth a word, however sure."""
FALL = 0.15
"""The same for a fall over time and for gold answers, of which fewer votes speak."""
HASTE = 0.2
"""Share of votes faster than reading that is worth a word."""


def find(seen: Evidence, longer: Figure | None, *, by_hand: bool) -> tuple[Finding, ...]:
    """Return what deserves a word, annotators first.

    Args:
        seen: The votes and what they were held against.
        longer: How often the longer answer won.
        by_hand: Whether votes took as long as reading does; otherwise haste says nothing of a person.
    """
    tested = [row for name in seen.names for row in _tests(seen, name)]
    adjusted = holm([row.p for row, _ in tested if row.p is not None])
    found = [replace(row, p=p) for (row, large), p in zip(tested, adjusted, strict=True) if large and p < CHANCE]
    if by_hand:
        found += [row for name in seen.names for row in _haste(seen, name)]
    return (*sorted(found, key=lambda row: (row.annotator or "", row.p or 0)), *_of_all(seen, longer, by_hand=by_hand))


def _tests(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    """Yield each check of one annotator with its raw probability, and whether it is large enough to matter."""
    yield from _disagrees(seen, name)
    yield from _side(seen, name)
    yield from _length(seen, name)
    yield from _drift(seen, name)
    yield from _gold(seen, name)


def _disagrees(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    own, rest = seen.checks[name], [check for other in seen.names if other != name for check in seen.checks[other]]
    if len(own) < FEW or len(rest) < FEW:
        return
    (mine, my_prompts), (theirs, their_prompts) = _scores(seen, own), _scores(seen, rest)
    a, b = sum(mine) / len(mine), sum(theirs) / len(theirs)
    p = chance_of_difference(mine, theirs, my_prompts, their_prompts)
    words = (
        f"votes as the others' majority does in {percent(a)} of {len(mine)} votes, everyone else in {percent(b)}: "
        "go through a few of their votes together"
    )
    yield Finding("disagrees", name, words, p), b - a >= GAP


def _side(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    rows = first_chosen(seen.votes[name])
    if len(rows) < FEW:
        return
    scores = [float(first) for _, first in rows]
    value = sum(scores) / len(scores)
    # Which side is the better one is a coin; in a small set it lands unevenly for all. The others' votes show how far.
    paired = against_habit(seen.checks[name], lambda vote: vote.left)
    if len(paired) >= FEW:
        excess = sum(difference for _, difference in paired) / len(paired)
        p = chance_of_mean([d for _, d in paired], [seen.prompts[vote.item_id] for vote, _ in paired])
    else:
        excess, p = value - 0.5, chance_of_share(scores, [seen.prompts[vote.item_id] for vote, _ in rows], 0.5)
    side = "first" if excess > 0 else "second"
    chosen = value if excess > 0 else 1 - value
    words = (
        f"picks the answer shown {side} in {percent(chosen)} of {len(scores)} votes, {points(abs(excess))} points more "
        f"than {'the others on the same items' if len(paired) >= FEW else 'chance'}: ask whether both answers are read"
    )
    yield Finding("side", name, words, p), abs(excess) >= GAP


def _length(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    rows = seen.tastes[name]
    if len(rows) < FEW:
        return
    values = [value for _, value in rows]
    excess = sum(values) / len(values)
    longer = [float(chosen) for _, chosen in longer_chosen(seen.votes[name], seen.items)]
    value = sum(longer) / len(longer)
    kind, chosen = ("longer", value) if excess > 0 else ("shorter", 1 - value)
    p = chance_of_mean(values, [seen.prompts[vote.item_id] for vote, _ in rows])
    words = (
        f"picks the {kind} answer in {percent(chosen)} of votes, {points(abs(excess))} points more than the others on "
        f"the same {len(values)} items: check that the guidelines say what length is worth"
    )
    yield Finding("length", name, words, p), abs(excess) >= GAP


def _drift(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    """The fall from the first to the second half, beyond that of the others: items may have become harder for all."""
    early, late = _halves(seen.checks[name])
    if len(early) < FEW:
        return
    others = [_halves(seen.checks[other]) for other in seen.names if other != name]
    before, after = [c for rows, _ in others for c in rows], [c for _, rows in others for c in rows]
    own = [_rate(seen, part) for part in (early, late)]
    rest = [_rate(seen, part) for part in (before, after)] if len(before) >= FEW else []
    fall = own[0][0] - own[1][0] - (rest[0][0] - rest[1][0] if rest else 0.0)
    error = sqrt(sum(variance for _, variance in [*own, *rest]))
    p = 2 * NormalDist().cdf(-abs(fall) / error) if error else 1.0
    words = (
        f"agreed with the others in {percent(own[0][0])} of the first half of the votes and in {percent(own[1][0])} of "
        "the second: ask whether they are tired or the task has changed"
    )
    yield Finding("drift", name, words, p), fall >= FALL


def _gold(seen: Evidence, name: str) -> Iterator[tuple[Finding, bool]]:
    own, rest = seen.gold[name], [check for other in seen.names if other != name for check in seen.gold[other]]
    if len(own) < FEW / 2 or len(rest) < FEW / 2:
        return
    (mine, my_prompts), (theirs, their_prompts) = _scores(seen, own), _scores(seen, rest)
    a, b = sum(mine) / len(mine), sum(theirs) / len(theirs)
    words = (
        f"is right on {percent(a)} of {len(mine)} gold items, everyone else on {percent(b)}: go through them together"
    )
    yield Finding("gold", name, words, chance_of_difference(mine, theirs, my_prompts, their_prompts)), b - a >= FALL


def _haste(seen: Evidence, name: str) -> Iterator[Finding]:
    took = speed(seen.answered[name], seen.asked)
    if took and took.n >= FEW and took.too_fast.low > HASTE:
        yield Finding(
            "haste",
            name,
            f"casts {percent(took.too_fast.value)} of {took.n} timed votes faster than anybody reads the answers "
            f"(median {took.median:.0f} s): look at those votes before you use them",
        )


def _of_all(seen: Evidence, longer: Figure | None, *, by_hand: bool) -> Iterator[Finding]:
    rows = [row for name in seen.names for row in first_chosen(seen.votes[name])]
    scores, items = [float(hit) for _, hit in rows], [seen.originals[vote.item_id] for vote, _ in rows]
    value = sum(scores) / len(scores) if scores else 0.5
    if len(scores) >= FEW and abs(value - 0.5) >= GAP / 2 and chance_of_share(scores, items, 0.5) < CHANCE / 5:
        side = "first" if value > 0.5 else "second"
        yield Finding(
            "all",
            None,
            f"The answer shown {side} gets {percent(max(value, 1 - value))} of all votes; sides are drawn by chance, "
            "so this is habit: ask several people about each item, and remind them to read both answers",
        )
    if longer and longer.n >= FEW and (longer.low > 0.5 + GAP / 2 or longer.high < 0.5 - GAP / 2):
        kind, won = ("longer", longer.value) if longer.value > 0.5 else ("shorter", 1 - longer.value)
        yield Finding(
            "all",
            None,
            f"The {kind} answer wins {percent(won)} of decided items. If length is no merit of its own, a model learns "
            f"it all the same: compare with the “pick the {kind}” rule when you evaluate",
        )
    timed = any(vote.seconds is not None for name in seen.names for vote in seen.answered[name])
    if timed and not by_hand:
        yield Finding(
            "all",
            None,
            "Most votes came faster than anybody reads: they look replayed or scripted, so speed and cost mean nothing",
        )


def _halves(checks: Sequence[Check]) -> tuple[list[Check], list[Check]]:
    of_vote = {id(check.vote): check for check in checks}
    votes: list[Vote] = in_order(check.vote for check in checks)
    ordered = [of_vote[id(vote)] for vote in votes]
    return ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]


def _rate(seen: Evidence, checks: Sequence[Check]) -> tuple[float, float]:
    """Return the share of right votes and its variance, never 0: one vote more of each kind is added to the latter."""
    scores, prompts = _scores(seen, checks)
    n = effective(scores, prompts)
    p = (sum(scores) * n / len(scores) + 1) / (n + 2)
    return sum(scores) / len(scores), p * (1 - p) / n


def _scores(seen: Evidence, checks: Sequence[Check]) -> tuple[list[float], list[str]]:
    return [float(check.right) for check in checks], [seen.prompts[check.vote.item_id] for check in checks]

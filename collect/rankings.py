"""Rankings as comparisons: every two candidates of a ranked item as an item, and what each ranking says of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from .item import LETTERS, Item, Side
from .queues.questions import compare
from .vote import Choice, Vote


def pairwise(items: Sequence[Item], votes: Sequence[Vote]) -> tuple[list[Item], list[Vote]]:
    """Return the items with two candidates each, and the votes on them.

    An item of k candidates becomes k(k-1)/2 items, a ranking of it as many votes, ties kept; a vote's id is that of the
    response with the two letters behind it (`5f0c…#AC`). Items and votes of two candidates come back as they are.

    The votes that come of one ranking are not independent: wherever an interval is drawn, resample by
    `originals(items)`, not by expanded item. What was said once is kept once: an edit, a critique and ratings of the
    best answer go with the vote on the best answer and the next best one; seconds are shared out evenly.
    """
    compared = {item.id: parts(item) for item in items}
    expanded = {part.id: part for rows in compared.values() for part in rows.values()}
    said: list[Vote] = []
    for vote in votes:
        rows = compared.get(vote.item_id, {})
        said += _votes(vote, rows) if len(rows) > 1 else [vote]
    return list(expanded.values()), said


def originals(items: Sequence[Item]) -> dict[str, str]:
    """Return the id of the item that each item of `pairwise` came from, itself where it had two candidates already.

    Two candidates that stand together in several ranked items are one expanded item; it belongs to the first of them.
    """
    found: dict[str, str] = {}
    for item in items:
        for part in parts(item).values():
            found.setdefault(part.id, item.id)
    return found


def parts(item: Item) -> dict[str, Item]:
    """Return the items of each two candidates, by their letters in the item (`AC`)."""
    if not item.more:
        return {"AB": item}
    return {
        LETTERS[first] + LETTERS[second]: replace(
            item,
            response_a=item.candidates[first].response,
            origin_a=item.candidates[first].origin,
            response_b=item.candidates[second].response,
            origin_b=item.candidates[second].origin,
            more=(),
        )
        for first, second in combinations(range(len(item.candidates)), 2)
    }


def _votes(vote: Vote, parts: Mapping[str, Item]) -> Iterator[Vote]:
    telling = _telling(vote.ranking or ())
    for letters, part in parts.items():
        tells = letters == telling
        yield replace(
            vote,
            id=f"{vote.id}#{letters}",
            item_id=part.id,
            choice="skip" if vote.choice == "skip" else _choice(vote.ranking, letters),
            left=_left(vote.order, letters),
            ranking=None,
            order="",
            criteria=vote.criteria if tells else {},
            ratings={
                side: vote.ratings[name] for side, name in zip("AB", letters, strict=True) if name in vote.ratings
            },
            critique=vote.critique if tells else None,
            edit=vote.edit if tells else None,
            seconds=None if vote.seconds is None else vote.seconds / len(parts),
        )


def _choice(ranking: Sequence[int | None] | None, letters: str) -> Choice | None:
    first, second = (LETTERS.index(letter) for letter in letters)
    return None if ranking is None else compare(ranking[first], ranking[second])


def _left(order: str, letters: str) -> Side | None:
    """Return which of two candidates was shown before the other, as a side of their own item."""
    if not order:
        return None
    return "A" if order.index(letters[0]) < order.index(letters[1]) else "B"


def _telling(ranks: Sequence[int | None]) -> str:
    """Return the letters of the best and the next best candidate, in the item's order; of the first two in a draw."""
    ranked = sorted((rank, place) for place, rank in enumerate(ranks) if rank is not None)
    best = ranked[0] if ranked else (0, 0)
    behind = [place for rank, place in ranked if rank > best[0]]
    places = (best[1], behind[0]) if behind else (0, 1)
    return "".join(LETTERS[place] for place in sorted(places))

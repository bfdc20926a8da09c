"""What each way of selecting items brought, beside the random arm: the selector's gain, or its lack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..intervals import Figure, share
from ..item import Item
from ..vote import Vote
from .selection import ARM


@dataclass(frozen=True, slots=True)
class Arm:
    """The items of one arm. Its pairs carry the same tag, so that reports slice by it and trainings can be compared."""

    name: str
    """`random`, or the selector's name."""
    items: int
    voted: int
    """Items with at least one counted vote."""
    decided: Figure | None
    """The share of voted items that gave a pair, clustered by prompt: what the budget bought."""
    split: Figure | None
    """The share of items with two counted votes or more on which not all agreed: what is worth arguing about."""


def arms(items: Sequence[Item], votes: Sequence[Vote], left_out: Mapping[str, Sequence[str]]) -> list[Arm]:
    """Compare the arms that the items' tags name; an empty list where nothing was selected.

    Args:
        items: All items that were pushed.
        votes: All votes on them.
        left_out: Ids of items that gave no pair, by reason.
    """
    choices: dict[str, list[str]] = {}
    for vote in votes:
        if vote.counts:
            choices.setdefault(vote.item_id, []).append(str(vote.choice))
    without = {item_id for ids in left_out.values() for item_id in ids}
    names = sorted({tag.removeprefix(ARM) for item in items for tag in item.tags if tag.startswith(ARM)})
    return [_arm(name, [item for item in items if ARM + name in item.tags], choices, without) for name in names]


def _arm(name: str, items: Sequence[Item], choices: Mapping[str, Sequence[str]], without: set[str]) -> Arm:
    voted = [item for item in items if item.id in choices]
    several = [item for item in voted if len(choices[item.id]) > 1]
    return Arm(
        name=name,
        items=len(items),
        voted=len(voted),
        decided=share([float(item.id not in without) for item in voted], [item.prompt_id for item in voted]),
        split=share([float(len(set(choices[item.id])) > 1) for item in several], [item.prompt_id for item in several]),
    )

"""Which pairs to show next: by a selector, always with a random share beside it to measure the selector by.

The published evidence on selectors conflicts: pairs that the model can't tell apart (arXiv 2406.17312) and pairs that
it tells furthest apart (arXiv 2603.09692) have both been found best. So none is trusted without its random arm.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import UserError
from ..item import Item

Selector = Literal["random", "uncertainty", "margin", "disagreement"]
ARM = "arm:"
"""What an item's tag begins with that tells why it was selected. Tags go to the pairs, never to Argilla."""


class SelectSettings(BaseModel):
    """How many pairs of the pool people are asked about, and which."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Selector = "random"
    """`uncertainty` takes first what the scorers find hardest to tell apart, `margin` what they find easiest,
    `disagreement` where several scorers differ most; `random` asks nobody."""
    count: int | None = Field(default=None, gt=0)
    """At most so many items; unset, as many as `per_prompt` allows."""
    per_prompt: int = Field(default=1, gt=0)
    """At most so many items with the same prompt."""
    control: float = Field(default=0.2, gt=0, le=1)
    """The share drawn at random whatever `by` says. Never 0: without it nobody can tell what the selector gains."""
    seed: int = Field(default=0, ge=0)
    """Of the random draws."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The items to show, and what became of the others."""

    items: tuple[Item, ...]
    """Each with a tag that names its arm, `arm:random` or `arm:<selector>`."""
    arms: dict[str, int]
    """Items by arm."""
    not_selected: tuple[str, ...]
    """Ids of the rest of the pool."""
    unscored: tuple[str, ...]
    """Ids that no scorer has scored (for disagreement, not two): only the random arm can draw them."""


def select(pool: Sequence[Item], scores: Mapping[str, Mapping[str, float]], settings: SelectSettings) -> Selection:
    """Choose from the pool: the random arm first, then the selector's own among what is left.

    Args:
        pool: Candidate items, several to a prompt if there are more than two answers.
        scores: By item id and scorer, the probability (0 to 1) that A is the better answer.
        settings: What to choose.

    Raises:
        UserError: the selector needs scores and there are none.
    """
    usable = {item.id: values for item in pool if (values := _usable(scores.get(item.id, {}), settings.by))}
    if settings.by != "random" and not usable:
        need = "scores of at least two scorers" if settings.by == "disagreement" else "scores"
        raise UserError(
            f"collect.select.by {settings.by!r} needs {need}, and no item has them; run `prefloop collect score` first"
        )
    drawn = sorted(pool, key=lambda item: _draw(item.id, settings.seed))
    prompts = len({item.prompt_id for item in pool})
    wanted = min(settings.count or len(pool), settings.per_prompt * prompts, len(pool))
    taken: dict[str, str] = {}
    left = Counter({item.prompt_id: settings.per_prompt for item in pool})
    share = 1.0 if settings.by == "random" else settings.control
    _take(drawn, "random", max(1, round(wanted * share)) if wanted else 0, taken, left)
    if settings.by != "random":
        rank = RANKS[settings.by]
        ranked = sorted((item for item in drawn if item.id in usable), key=lambda item: rank(usable[item.id]))
        _take(ranked, settings.by, wanted - len(taken), taken, left)
    chosen = tuple(replace(item, tags=(*item.tags, ARM + taken[item.id])) for item in pool if item.id in taken)
    return Selection(
        chosen,
        dict(Counter(taken.values())),
        tuple(item.id for item in pool if item.id not in taken),
        () if settings.by == "random" else tuple(item.id for item in pool if item.id not in usable),
    )


def _usable(values: Mapping[str, float], by: Selector) -> list[float]:
    return list(values.values()) if len(values) >= (2 if by == "disagreement" else 1) else []


RANKS: dict[str, Callable[[list[float]], float]] = {
    "uncertainty": lambda values: abs(fmean(values) - 0.5),
    "margin": lambda values: -abs(fmean(values) - 0.5),
    "disagreement": lambda values: -pstdev(values),
}
"""Smallest first."""


def _take(items: Sequence[Item], arm: str, wanted: int, taken: dict[str, str], left: Counter[str]) -> None:
    for item in items:
        if wanted <= 0:
            return
        if item.id not in taken and left[item.prompt_id]:
            taken[item.id] = arm
            left[item.prompt_id] -= 1
            wanted -= 1


def _draw(item_id: str, seed: int) -> str:
    return hashlib.sha256(f"select:{seed}:{item_id}".encode()).hexdigest()

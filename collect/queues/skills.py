"""Queues per skill: one recipe, several Argilla datasets, each with the items of one tag."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..item import Item
from ..settings import CollectSettings


@dataclass(frozen=True, slots=True)
class Share:
    """One queue's part of the items."""

    skill: str | None
    """None for the main queue, which takes what no skill asks for."""
    settings: CollectSettings
    """Those of this queue alone, so that everything that works on one queue works on it."""
    items: tuple[Item, ...]
    annotators: tuple[str, ...]
    """The people that the recipe names for it."""


@dataclass(frozen=True, slots=True)
class Shares:
    """All items, each in exactly one queue."""

    rows: tuple[Share, ...]
    """The main queue first, then the skills in the recipe's order; some may have no items."""
    several: tuple[str, ...]
    """Ids of items that more than one skill asks for: they went to the first."""

    @property
    def used(self) -> tuple[Share, ...]:
        """The queues that have items; the main one where there are no items at all."""
        return tuple(row for row in self.rows if row.items) or self.rows[:1]


def share_out(settings: CollectSettings, items: Sequence[Item] = ()) -> Shares:
    """Give each item to the first skill whose tag it has, or else to the main queue."""
    wanting = {
        item.id: [name for name, skill in settings.skills.items() if (skill.tag or name) in item.tags] for item in items
    }
    first = {item_id: names[0] if names else None for item_id, names in wanting.items()}
    rows = tuple(
        Share(
            skill=name,
            settings=_queue_settings(settings, name),
            items=tuple(item for item in items if first[item.id] == name),
            annotators=settings.skills[name].annotators if name else (),
        )
        for name in (None, *settings.skills)
    )
    return Shares(rows, tuple(item_id for item_id, names in wanting.items() if len(names) > 1))


def _queue_settings(settings: CollectSettings, name: str | None) -> CollectSettings:
    if name is None:
        return settings.model_copy(update={"skills": {}})
    skill = settings.skills[name]
    own = {
        # A dot, which no recipe's queue has: the skill's queue is never another recipe's.
        "queue": f"{settings.queue}.{name}",
        "guidelines": skill.guidelines or settings.guidelines,
        "workspace": skill.workspace or settings.workspace,
        "skills": {},
    }
    return settings.model_copy(update=own)

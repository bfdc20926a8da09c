"""What the embedded Argilla can do beyond a stock one: its features under /api/v1/prefloop."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..item import Item
from .argilla import Argilla
from .queueing import QueueingSettings, missing_on_stock, places


def features(argilla: Argilla) -> frozenset[str]:
    """Return the names of the server's features beyond stock Argilla's: none on a stock server.

    Raises:
        UserError: the server can't be reached, or refuses.
    """
    answer = argilla.get_if_there("/prefloop")
    return frozenset(answer["features"] if answer else ())


@dataclass(frozen=True, slots=True)
class Planned:
    """How far the server follows what the recipe asks of a queue."""

    missing: str | None = None
    """What it can't do, in one sentence; None where it can do all, or nothing is asked."""
    places: int = 0
    """Items that the plan says something of."""
    without_account: tuple[str, ...] = ()
    """Assigned to these user names, which nobody has yet."""


def send_plan(
    argilla: Argilla, dataset_id: str, settings: QueueingSettings, items: Sequence[Item], *, min_votes: int
) -> Planned:
    """Have the server follow the settings on this queue, in place of what it followed before; push the items first.

    Raises:
        UserError: the server can't be reached, or refuses; a file of the settings can't be read.
        Problems: everything in the settings' files that is not as it should be.
    """
    path = f"/prefloop/datasets/{dataset_id}/plan"
    if "plan" not in features(argilla):
        return Planned(missing_on_stock(settings, min_votes))
    if not settings.asks and argilla.get_if_there(path) is None:
        return Planned()
    rows = places(settings, items)
    body = {
        "exact_overlap": settings.exact_overlap,
        "lease_minutes": settings.lease_minutes,
        "gold_every": settings.gold_every if settings.gold else 0,
        "records": [
            {"external_id": row.item_id, "priority": row.priority, "gold": row.gold, "assigned_to": row.assigned_to}
            for row in rows
        ],
    }
    answer = argilla.call("PUT", path, body=body)
    return Planned(None, answer["records"], tuple(answer["unknown_users"]))


def items_over(argilla: Argilla, dataset_id: str) -> tuple[str, ...]:
    """Return the ids of items with more submitted votes than the plan's exact overlap: late ones, which count.

    Empty where the queue has no plan, or the server can't follow one.
    """
    plan = argilla.get_if_there(f"/prefloop/datasets/{dataset_id}/plan")
    return tuple(plan["over"]) if plan else ()

"""How a queue is worked off, beyond what a stock Argilla can do: exact overlap, order, assignment, gold items.

The embedded server follows the plan that a push sends it (`private.py`). Anywhere else the queue works without, and the
push says what is missing. What the gold answers are stays here: the server learns only which items are gold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...errors import Problems, UserError
from ..item import Item
from ..vote import CHOICES, Choice


class QueueingSettings(BaseModel):
    """Who is shown which item when, and how many people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exact_overlap: bool = False
    """Show an item only while another vote is wanted of it, so that it gets `min_votes` votes and no more."""
    lease_minutes: float = Field(15, gt=0, le=24 * 60)
    """With exact overlap: how long an item that is shown to somebody is kept for them. Every answer renews it."""
    priority: Literal["items"] | Path | None = None
    """What comes first: `items` as they stand in their file, or a text file with the id of an item on each line.
    Otherwise everybody has a shuffle of their own."""
    assign: dict[str, str | tuple[str, ...]] = {}
    """By user name, the tags or ids of items that only this person (and others with the same) is shown. Items that are
    given to nobody are for everybody."""
    gold: Path | None = None
    """JSON lines with the `item_id` and the right `choice` (A, B, tie, both_bad) of items whose answer is known. They
    are shown to everybody, and never count as overlapping."""
    gold_every: int = Field(20, ge=2)
    """One item in so many is a gold one, at a place that nobody can guess."""

    @property
    def asks(self) -> bool:
        """Whether anything is wanted that a stock Argilla lacks."""
        return self.exact_overlap or bool(self.priority or self.assign or self.gold)


@dataclass(frozen=True, slots=True)
class Gold:
    """One item whose answer is known."""

    item_id: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Place:
    """What the plan says of one item."""

    item_id: str
    priority: int | None
    """Smaller comes first; None comes last."""
    gold: bool
    assigned_to: tuple[str, ...]


def places(settings: QueueingSettings, items: Sequence[Item]) -> list[Place]:
    """Return the place of each item that the settings say something of.

    Raises:
        UserError: a file can't be read.
        Problems: everything in the settings' files that is not as it should be.
    """
    order = _order(settings, items)
    gold = read_gold(settings.gold) if settings.gold else {}
    assigned = _assigned(settings.assign, items)
    rows = [Place(item.id, order.get(item.id), item.id in gold, assigned.get(item.id, ())) for item in items]
    return [row for row in rows if row.priority is not None or row.gold or row.assigned_to]


def check_places(settings: QueueingSettings, items: Sequence[Item]) -> None:
    """Raise Problems that name whatever the settings say of items that are not there."""
    ids = {item.id for item in items}
    known = ids | {tag for item in items for tag in item.tags}
    problems = [
        f"collect.queueing.assign gives {name} {asked!r}, which is no item's tag or id"
        for name, wanted in settings.assign.items()
        for asked in _several(wanted)
        if asked not in known
    ]
    for what, path, named in (
        ("priority", settings.priority, list(_order(settings, items))),
        ("gold", settings.gold, list(read_gold(settings.gold) if settings.gold else ())),
    ):
        missing = [item_id for item_id in named if item_id not in ids]
        if missing:
            problems.append(
                f"collect.queueing.{what}: {path} names {len(missing)} items that are not there, first {missing[0]!r}"
            )
    if problems:
        raise Problems("the queue can't be worked off as the recipe asks", problems)


def read_gold(path: Path) -> dict[str, Choice]:
    """Return the known answers of the file, by item id.

    Raises:
        UserError: the file can't be read.
        Problems: everything in it that is not as it should be.
    """
    adapter, rows, problems = TypeAdapter(Gold), dict[str, Choice](), list[str]()
    for number, line in enumerate(_lines(path), 1):
        try:
            row = adapter.validate_json(line)
        except ValidationError:
            problems.append(f'line {number}: expected {{"item_id": ..., "choice": ...}}, got {line[:80]}')
            continue
        if row.choice not in CHOICES or row.choice == "skip":
            problems.append(f"line {number}: {row.choice!r} is no answer that can be right")
        elif row.item_id in rows:
            problems.append(f"line {number}: the item {row.item_id} was answered before")
        rows[row.item_id] = row.choice
    if problems:
        raise Problems(f"{path} is not a file of gold answers", problems)
    return rows


def missing_on_stock(settings: QueueingSettings, min_votes: int) -> str | None:
    """Say in one sentence what of the settings a stock Argilla can't do; None where nothing is asked of it."""
    words = {
        f"overlap is not exact ({min_votes} votes an item are a minimum)": settings.exact_overlap,
        "the order is everybody's own random one (annotators can sort by hand)": bool(settings.priority),
        f"nothing is assigned ({len(settings.assign)} people would see everything)": bool(settings.assign),
        "gold items come at random places, and leave the queue when they have enough votes": bool(settings.gold),
    }
    said = [sentence for sentence, asked in words.items() if asked]
    if not said:
        return None
    return "this Argilla is not prefloop's embedded one, so " + "; ".join(said)


def _order(settings: QueueingSettings, items: Sequence[Item]) -> Mapping[str, int]:
    if settings.priority is None:
        return {}
    named = [item.id for item in items] if settings.priority == "items" else list(_lines(settings.priority))
    return {item_id: number for number, item_id in enumerate(dict.fromkeys(named))}


def _assigned(assign: Mapping[str, str | tuple[str, ...]], items: Sequence[Item]) -> Mapping[str, tuple[str, ...]]:
    wanted = {name: set(_several(asked)) for name, asked in assign.items()}
    return {item.id: tuple(name for name, asked in wanted.items() if asked & {item.id, *item.tags}) for item in items}


def _several(asked: str | tuple[str, ...]) -> tuple[str, ...]:
    return (asked,) if isinstance(asked, str) else asked


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    # Split at newlines only: str.splitlines also cuts at U+2028 and friends, which JSON strings may hold.
    return (line.strip() for line in text.split("\n") if line.strip())

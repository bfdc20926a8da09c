"""What an import gives: items and votes with protocol, licence and origin, and every row accounted for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...runs import Progress, silent
from ..item import Item, Origin
from ..vote import Vote

Row = Mapping[str, Any]
SECOND_VOTE = "the same annotator voted on this item before"
SAME_ITEM = "the same item again, without a vote"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a public source before its file is opened."""

    kind: str
    """As on the command line."""
    name: str
    """The data set's own name."""
    protocol: str
    """Who judged what, and how: pairs asked for directly and pairs made from ratings are different data."""
    licence: str | None
    """None for the user's own data: they say."""
    licence_note: str = ""
    """What else binds whoever uses it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where imported data came from: the head of their lineage."""

    kind: str
    name: str
    revision: str | None
    licence: str | None
    licence_note: str
    protocol: str
    files: dict[str, str]
    """SHA-256 (64 hex digits) of every file read, by name."""
    rows: int
    """Rows read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Items and votes, and what became of every row: `rows == taken + the sum of refused`."""

    items: tuple[Item, ...]
    votes: tuple[Vote, ...]
    taken: int
    """Rows that gave an item or a vote."""
    refused: dict[str, tuple[str, ...]]
    """Reasons, each with the ids of the rows refused for it."""
    notes: dict[str, tuple[str, ...]]
    """What was changed, left out or is odd in rows that were taken, with their ids."""
    source: Source


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a source."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our name of a column to the source's own."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The source's own label to one of ours."""
    name: str | None = None
    """Names the data set in origins and vote ids, where the source has no name of its own."""
    licence: str | None = None
    protocol: str | None = None
    limit: int | None = None
    """Read only so many rows."""
    split: str | None = None
    config: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one row gives."""

    items: tuple[Item, ...]
    votes: tuple[Vote, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a source, as they are."""

    rows: list[tuple[str, object]]
    """(row id, value); the value may be anything, or an `Unreadable`."""
    files: dict[str, str]
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is no row."""

    reason: str


class Refused(Exception):
    """This row gives nothing; `str()` of it is the reason."""


def gather(
    about: About,
    rows: Rows,
    options: Options,
    take: Callable[[str, Row], Taken],
    *,
    progress: Progress = silent,
) -> Imported:
    """Take or refuse each row; the same item in several rows is one item with all its votes."""
    items, votes, seen = dict[str, Item](), list[Vote](), set[tuple[str, str]]()
    refused, notes = dict[str, list[str]](), dict[str, list[str]]()
    for done, (row_id, row) in enumerate(rows.rows, 1):
        try:
            taken = take(row_id, _mapping(row))
            new = {item_id: item for item in taken.items if (item_id := item.id) not in items}
            fresh = [vote for vote in taken.votes if (vote.item_id, vote.annotator) not in seen]
            if not new and not fresh:
                raise Refused(SECOND_VOTE if taken.votes else SAME_ITEM)
        except Refused as refusal:
            refused.setdefault(str(refusal), []).append(row_id)
            continue
        finally:
            progress(done, len(rows.rows))
        items |= new
        votes += fresh
        seen |= {(vote.item_id, vote.annotator) for vote in fresh}
        for note in [*taken.notes, *([SECOND_VOTE] if len(fresh) < len(taken.votes) else [])]:
            notes.setdefault(note, []).append(row_id)
    return Imported(
        tuple(items.values()),
        tuple(votes),
        len(rows.rows) - sum(len(ids) for ids in refused.values()),
        {reason: tuple(ids) for reason, ids in refused.items()},
        {note: tuple(ids) for note, ids in notes.items()},
        _source(about, rows, options),
    )


def written_by(model: str | None, about_name: str, row: str | None) -> Origin:
    """Return the origin of a response in a data set: the model if the row names it, else the data set itself."""
    if model:
        return Origin("model", model, row=about_name if row is None else f"{about_name}:{row}")
    return Origin("dataset", about_name, row=row)


def vote_id(about_name: str, row: str, *more: object) -> str:
    """Return the id under which a recorded vote is found again in its source."""
    return ":".join(str(part) for part in (about_name, row, *more))


def distinct(notes: Iterable[str]) -> tuple[str, ...]:
    """Return each note once, in order."""
    return tuple(dict.fromkeys(notes))


def _mapping(row: object) -> Row:
    if isinstance(row, Unreadable):
        raise Refused(row.reason)
    if not isinstance(row, Mapping):
        raise Refused("the row is not an object with named fields")
    return row


def _source(about: About, rows: Rows, options: Options) -> Source:
    return Source(
        kind=about.kind,
        name=options.name or about.name,
        revision=options.revision or rows.revision,
        licence=options.licence or about.licence,
        licence_note=about.licence_note,
        protocol=options.protocol or about.protocol,
        files=rows.files,
        rows=len(rows.rows),
    )

"""A search over releases in folders and on the Hub: read, filter, rank, and count what is not shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from .entry import Entry
from .filters import Filters, LeftOut, apply_filters, known_scores
from .folders import Unread, find_releases, read_folder
from .listing import read_author
from .ranking import rank


@dataclass(frozen=True, slots=True)
class Shelf:
    """All releases that were looked at."""

    entries: tuple[Entry, ...]
    unread: tuple[Unread, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A release that was asked for."""

    entry: Entry
    likeness: float | None
    """To the words, in [0, 1]; None where none were given."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and what became of all the other releases."""

    hits: tuple[Hit, ...]
    read: int
    left_out: tuple[LeftOut, ...]
    unread: tuple[Unread, ...]


def read_shelf(folders: Sequence[Path], authors: Sequence[str]) -> Shelf:
    """Read releases in folders, and the card metadata of those that organisations or users have on the Hub.

    Raises:
        UserError: a folder is not there or holds none, or the Hub can't be asked.
    """
    found, without = find_releases(folders)
    entries, unread = [], list(without)
    for folder in found:
        try:
            entries.append(read_folder(folder))
        except UserError as error:
            unread.append(Unread(str(folder), str(error)))
    for author in dict.fromkeys(authors):
        listed, refused = read_author(author)
        entries += listed
        unread += refused
    return Shelf(tuple(entries), tuple(unread))


def search(shelf: Shelf, words: str, filters: Filters) -> Found:
    """Return the releases that pass the filters and speak of the words: best first, without words the newest first.

    Raises:
        UserError: a score is asked for that no release has.
    """
    known = known_scores(shelf.entries)
    for name, _ in filters.min_scores:
        if shelf.entries and name not in known:
            raise UserError(f"--min-score: no release here has a score {name!r}; there are {', '.join(known)}")
    kept, left_out = apply_filters(shelf.entries, filters)
    if words.strip():
        hits = [Hit(entry, likeness) for entry, likeness in rank(words, kept)]
        shown = {id(hit.entry) for hit in hits}
        others = tuple(entry.name for entry in kept if id(entry) not in shown)
        left_out += [LeftOut("the words (it has none of them)", others)] if others else []
    else:
        newest = sorted(sorted(kept, key=lambda entry: entry.name), key=lambda entry: entry.updated, reverse=True)
        hits = [Hit(entry, None) for entry in newest]
    return Found(tuple(hits), len(shelf.entries), tuple(left_out), shelf.unread)

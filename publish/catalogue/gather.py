"""What a catalogue is made of: releases with their cards, from folders and from the Hub, never their weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..finding import Entry, Unread, find_releases, read_folder
from ..finding.folders import CARD, RECIPE, REPORT
from ..finding.listing import read_author
from ..release import MARK

if TYPE_CHECKING:
    from ...runs import Progress

DOCUMENTS = (CARD, REPORT, RECIPE, MARK, "*.png")
"""What is fetched of a release on the Hub."""


@dataclass(frozen=True, slots=True)
class Item:
    """A release and where its card lies."""

    entry: Entry
    folder: Path


@dataclass(frozen=True, slots=True)
class Gathered:
    """All releases for a catalogue, by name, and what is not among them."""

    items: tuple[Item, ...]
    unread: tuple[Unread, ...]
    private: tuple[str, ...] = ()
    """Private repositories that were left out."""


def gather(
    folders: Sequence[Path], authors: Sequence[str], *, private: bool = False, progress: "Progress | None" = None
) -> Gathered:
    """Read releases in folders, and fetch the documents of those on the Hub.

    Args:
        folders: Runs, releases, or folders of them. They are taken whether or not they would be private on the Hub.
        authors: Organisations or users on the Hub.
        private: Whether private repositories that the token may see are taken too: a catalogue is there to be read.
        progress: told of every release on the Hub.

    Raises:
        UserError: a folder is not there or holds no release, or the Hub can't be asked.
    """
    found, without = find_releases(folders)
    items, unread, hidden = [], list(without), []
    for folder in found:
        try:
            items.append(Item(read_folder(folder), folder))
        except UserError as error:
            unread.append(Unread(str(folder), str(error)))
    for author in dict.fromkeys(authors):
        listed, refused = read_author(author)
        unread += refused
        hidden += [entry.name for entry in listed if entry.private and not private]
        wanted = [entry for entry in listed if private or not entry.private]
        for number, entry in enumerate(wanted, 1):
            try:
                items.append(_fetched(entry))
            except UserError as error:
                unread.append(Unread(entry.name, str(error)))
            if progress:
                progress(number, len(wanted))
    items.sort(key=lambda item: (item.entry.name.casefold(), item.entry.name, item.entry.updated, item.entry.where))
    return Gathered(tuple(items), tuple(unread), tuple(hidden))


def _fetched(listed: Entry) -> Item:
    """Fetch a release's documents, and read them as the listing's revision has them."""
    from ..hub import fetch

    folder = fetch(listed.name, listed.revision, kind="model", only=DOCUMENTS).folder
    found = read_folder(folder)
    return Item(replace(listed, block=found.block, base=found.base, licence=found.licence), folder)

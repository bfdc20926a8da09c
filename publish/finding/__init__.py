"""Which releases there are for a job: in folders of this machine and on the Hub, by what their evidence says."""

from .entry import Block, Entry, Overlap, Score, read_block
from .filters import Filters, LeftOut, parse_min_score, parse_size
from .folders import Unread, find_releases, read_folder
from .search import Found, Hit, Shelf, read_shelf, search

__all__ = [
    "Block",
    "Entry",
    "Filters",
    "Found",
    "Hit",
    "LeftOut",
    "Overlap",
    "Score",
    "Shelf",
    "Unread",
    "find_releases",
    "parse_min_score",
    "parse_size",
    "read_block",
    "read_folder",
    "read_shelf",
    "search",
]

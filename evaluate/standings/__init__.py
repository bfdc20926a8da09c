"""A local leaderboard: many finished runs and benchmark results on one page, and votes on what to evaluate next."""

from .entry import Entry, Reading, Standing, read_entries
from .page import render_standings, write_standings
from .votes import Request, cast_vote, read_votes, waiting

__all__ = [
    "Entry",
    "Reading",
    "Request",
    "Standing",
    "cast_vote",
    "read_entries",
    "read_votes",
    "render_standings",
    "waiting",
    "write_standings",
]

"""A release and a search's outcome in words, the same in the terminal and on a page."""

from collections.abc import Iterator

from ...evaluate.standings.page import size_words
from .entry import Entry, Overlap, Score
from .filters import LeftOut
from .search import Found


def score_words(score: Score, confidence: float) -> str:
    """Return a score with its interval and number, never without."""
    return (
        f"{score.name} {score.value:.3f} ({confidence:.0%} interval {score.low:.3f} to {score.high:.3f}, n = {score.n})"
    )


def difference_words(entry: Entry) -> str:
    """Return how far the tuned model is from its base, in points."""
    found = entry.block.difference
    ends = f"interval {100 * found.low:+.0f} to {100 * found.high:+.0f}"
    return f"{100 * found.value:+.0f} points against its base ({ends})"


def overlap_words(found: Overlap | None) -> str:
    """Say whether the training data holds what was measured."""
    if found is None:
        return "overlap of training and evaluation data: not known here"
    if not found.overlapping:
        return f"no evaluation item of {found.items} in the training data"
    return f"contaminated: {found.overlapping} of {found.items} evaluation items are in the training data"


def model_words(entry: Entry) -> str:
    """Return base, size, licence and languages in one line."""
    size = size_words(entry.block.parameters)
    parts = (
        f"from {entry.base or 'a base that is not named'}",
        f"{size} parameters" if size else "size not known",
        entry.licence or "no licence named",
        ", ".join(entry.languages) or "language not named",
    )
    return ", ".join(parts)


def left_out_words(found: LeftOut, of: int) -> str:
    """Return a filter's count with the names."""
    return f"{len(found.names)} of {of} left out by {found.by}: {', '.join(found.names)}"


def outcome(found: Found) -> Iterator[str]:
    """Return what became of every release, a sentence each."""
    yield f"{len(found.hits)} of {found.read} releases"
    for one in found.left_out:
        yield left_out_words(one, found.read)
    if found.unread:
        yield f"{len(found.unread)} more could not be read:"
    for row in found.unread:
        yield f"  {row.where}: {row.reason}"

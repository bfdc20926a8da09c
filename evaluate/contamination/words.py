"""What the overlap of training and evaluation data means, in words."""

from collections.abc import Iterator

from ..words import points
from .result import Benchmark, Contamination, Recomputed

KINDS = ("exact", "n-gram", "near-duplicate")


def say(found: Contamination) -> tuple[str, ...]:
    """Return what was found, a sentence for each benchmark with overlaps and each result that they are part of."""
    return (*_found(found), *(line for one in found.recomputed for line in _recomputed(one)))


def _found(found: Contamination) -> Iterator[str]:
    looked = ", ".join(f"{one.name} ({one.items} items)" for one in found.benchmarks)
    if not found.benchmarks:
        yield "The training data was compared with no evaluation item."
    elif not found.overlapping:
        yield f"None of the {found.pairs} training pairs holds an evaluation item. Looked at: {looked}."
    for name in found.unseen:
        yield f"What {name} was trained on, before this round, is not on this machine, and was not looked at."
    for one in found.benchmarks:
        if one.overlapping:
            held = f"{len(one.overlapping)} of the {one.items} items of {one.name}"
            yield f"The training data holds {held}: {_kinds(one)}."


def _kinds(one: Benchmark) -> str:
    return ", ".join(f"{one.count(kind)} {kind}" for kind in KINDS if one.count(kind))


def _recomputed(one: Recomputed) -> Iterator[str]:
    if not one.overlapping:
        return
    if one.without is None:
        yield f"{one.name}: every item is in the training data; the result says nothing about new ones."
        return
    before, after = one.everything.difference, one.without.difference
    changed = f"; the verdict changes from {one.everything.verdict} to {one.without.verdict}" if one.changed else ""
    yield (
        f"{one.name}: {points(before.value)} points on all {before.n} items, {points(after.value)} "
        f"(interval {points(after.low)} to {points(after.high)}) on the {after.n} that the training data does not "
        f"hold{changed}."
    )

"""What the wording does to the score, in words that need no statistics."""

from collections.abc import Iterator

from ..estimate import Estimate
from ..words import percent
from .result import Flips, Formats, Spread, Variant

COLUMNS = ("wording", "base", "tuned", "tuned minus base", "verdict")
"""Of the table in the terminal; with one model the first two."""


def variant_cells(variant: Variant) -> tuple[str, ...]:
    """Return a wording's cells under `COLUMNS`."""
    one = (variant.name, _share(variant.base))
    if variant.tuned is None or variant.decision is None:
        return one
    found = variant.decision.difference
    spelled = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return (*one, _share(variant.tuned), spelled, variant.decision.verdict)


def sentences(found: Formats) -> tuple[str, ...]:
    """Say how far the score depends on the wording, for each model, and who is ahead in how many wordings."""
    count = len(found.variants)
    names = ("The model", "The tuned model") if found.tuned is None else ("The base model", "The tuned model")
    said = [_spread(names[0], found.base, count, found.questions)]
    said += [_spread(names[1], found.tuned, count, found.questions)] if found.tuned else []
    return (*said, *(_flips(found.flips, count) if found.flips else ()), *_left_out(found))


def _spread(name: str, spread: Spread, count: int, questions: int) -> str:
    gap = spread.gap
    told = (
        f"{name} gets {percent(spread.mean)} of {questions} questions right on average over {count} wordings, from "
        f"{percent(spread.lowest)} to {percent(spread.highest)}: "
        f"{100 * gap.value:.1f} points between “{spread.best}” and “{spread.worst}” (interval {100 * gap.low:.1f} to "
        f"{100 * gap.high:.1f}; were no wording better than another, chance would give {100 * spread.chance_gap:.1f})."
    )
    verdict = " Wording moves the score." if spread.p < 0.05 else " That wording moves the score is not shown."
    return told + verdict


def _flips(flips: Flips, count: int) -> Iterator[str]:
    yield (
        f"The tuned model is ahead in {flips.tuned_ahead} of {count} wordings, the base in {flips.base_ahead}, "
        f"{flips.even} are even; by more than chance it is better in {flips.shown_better} and worse in "
        f"{flips.shown_worse}."
    )
    if flips.flipped:
        yield "Who is ahead depends on the wording."


def _left_out(found: Formats) -> Iterator[str]:
    for entry in found.left_out:
        yield f"Left out: {entry.count} {entry.reason}."


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"

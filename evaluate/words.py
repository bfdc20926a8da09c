"""The verdict and its caveats, in words that need no statistics."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .estimate import Comparison, LeftOut, ModelIdentity, WinRate
from .parts import Check, General, Lengths, Preference, SealedSet

if TYPE_CHECKING:
    from .contamination import Contamination
    from .style import StyleFindings

MINUS = "\N{MINUS SIGN}"
SLICE = 20
"""Pairs that a slice needs before its verdict is worth a word: nearly every smaller one can't tell anything."""
MARGIN = 0.05
"""A general loss of more than this that can't be excluded is worth a word."""


def percent(share: float) -> str:
    """Write a share as whole per cent."""
    return f"{100 * share:.0f}%"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points, signed."""
    rounded = round(100 * difference)
    return f"{'+' if rounded > 0 else MINUS if rounded < 0 else '±'}{abs(rounded)}"


def summarise(preference: Preference, sealed: SealedSet) -> str:
    """Say who is ahead on the sealed pairs, by how much and how surely."""
    accuracy = preference.normalised
    difference = accuracy.difference
    found = (
        f"On {sealed.pairs} sealed pairs the tuned model prefers the annotators' choice in "
        f"{percent(accuracy.tuned.value)}, the base model in {percent(accuracy.base.value)}: "
        f"{points(difference.value)} points (interval {points(difference.low)} to {points(difference.high)})."
    )
    return f"{found} {_outlook(accuracy)}"


def about_start(base: ModelIdentity, *, went_on: bool) -> tuple[str, ...]:
    """Say who is called the base, where it is no base model: training went on from an adapter."""
    if not went_on:
        return ()
    return (
        f"“Base” is here what this training went on from, {base.name} ({base.sha256[:12]}), and not the model without "
        "any adapter: the numbers are this round's gain.",
    )


def caveats(
    preference: Preference,
    sealed: SealedSet,
    lengths: Lengths,
    check: Check | None,
    win_rate: WinRate | None,
    general: General | None,
    left_out: tuple[LeftOut, ...],
    style: "StyleFindings | None" = None,
    overlap: "Contamination | None" = None,
) -> tuple[str, ...]:
    """List what a reader must know before believing the verdict."""
    return (
        *_about_slices(preference),
        *_about_sealed(sealed, preference),
        *_about_length(preference, lengths),
        *_about_task(check, win_rate),
        *_about_style(style),
        *_about_overlap(overlap),
        *_about_general(general),
        *_about_left_out(left_out),
    )


def _outlook(accuracy: Comparison) -> str:
    if accuracy.verdict != "can't tell yet":
        return f"Chance alone would do this in {_chance(accuracy.p)}."
    if accuracy.detectable is None:
        return "Not one pair changed sides."
    if accuracy.needed is None:
        return "As many pairs changed for the better as for the worse."
    more = accuracy.needed - accuracy.difference.n
    if more > 0:
        return f"If that is the true difference, about {more} more pairs would tell."
    return "That is at the edge of what chance does; more pairs would tell."


def _chance(p: float | None) -> str:
    return "fewer than 1 in 1,000 cases" if p is None or p < 0.001 else f"about {round(1000 * p)} in 1,000 cases"


def _about_slices(preference: Preference) -> Iterator[str]:
    """A gain on one kind of pair, often style, can carry the whole: name the kinds on which it isn't shown."""
    for part in preference.slices:
        accuracy = part.accuracy
        if accuracy.difference.n >= SLICE and accuracy.verdict != preference.normalised.verdict:
            yield (
                f"On the {accuracy.difference.n} pairs tagged “{part.tag}” the verdict is another: {accuracy.verdict} "
                f"({percent(accuracy.base.value)} to {percent(accuracy.tuned.value)}, interval of the difference "
                f"{points(accuracy.difference.low)} to {points(accuracy.difference.high)})."
            )


def _about_sealed(sealed: SealedSet, preference: Preference) -> Iterator[str]:
    smallest = preference.normalised.detectable
    if smallest is not None and smallest > 0.05:
        yield (
            f"{sealed.pairs} pairs on {sealed.prompts} prompts show differences of {round(100 * smallest)} points or "
            "more; smaller ones mostly go unnoticed."
        )
    if sealed.openings > 1:
        yield (
            f"The sealed set was opened for the {_nth(sealed.openings)} time: each opening makes a lucky result "
            "likelier. Seal fresh prompts before the next round."
        )


def _about_length(preference: Preference, lengths: Lengths) -> Iterator[str]:
    rule = preference.longer if preference.best_rule == "longer" else preference.shorter
    if preference.over_rule.low <= 0:
        yield (
            f"Picking the {preference.best_rule} answer, without reading it, is right in {percent(rule.value)}: the "
            "tuned model is not shown to know more than length."
        )
    if preference.matched is None:
        yield "Too few pairs have answers of equal length to tell substance from length."
    if lengths.difference.low > 0 or lengths.difference.high < 0:
        change = "longer" if lengths.difference.value > 0 else "shorter"
        yield f"The tuned model's own answers are {abs(lengths.difference.value):.0f} tokens {change} on average."
    if lengths.cut_tuned or lengths.cut_base:
        yield (
            f"Cut off before they ended: {lengths.cut_tuned} of {len(lengths.tuned)} answers of the tuned model, "
            f"{lengths.cut_base} of {len(lengths.base)} of the base."
        )


def _about_task(check: Check | None, win_rate: WinRate | None) -> Iterator[str]:
    if check is not None and check.criteria[-1].rate.verdict == "worse":
        rate = check.criteria[-1].rate
        tuned, base = percent(rate.tuned.value), percent(rate.base.value)
        yield f"The tuned model does the task as told less often: {tuned}, base {base}."
    if win_rate is None:
        yield "Nobody compared the two models' own answers: there is neither a task check nor a judge model."
    elif win_rate.judge == "check":
        yield "The win rate goes by the task check alone: no judge model and no person compared the answers."
    if win_rate is not None and win_rate.unscored:
        yield f"The judge gave no readable verdict on {win_rate.unscored} prompts; they count for neither model."


def _about_style(style: "StyleFindings | None") -> Iterator[str]:
    if style is not None and style.kind == "style":
        yield "The win rate is style: it learnt to sound better, and a win beyond that is not shown."


def _about_overlap(overlap: "Contamination | None") -> Iterator[str]:
    if overlap is None:
        return
    if overlap.overlapping:
        what = "item stands" if overlap.overlapping == 1 else "items stand"
        yield f"{overlap.overlapping} evaluation {what} in the training data; the results without are further down."
    if overlap.unseen:
        yield (
            f"What {' and '.join(overlap.unseen)} was trained on in earlier rounds is not on this machine: whether it "
            "holds what was measured here, nobody looked."
        )


def _about_general(general: General | None) -> Iterator[str]:
    if general is None:
        yield "No general task was run: what the tuning cost elsewhere is unknown."
        return
    difference = general.accuracy.difference
    if general.accuracy.verdict == "worse":
        yield f"General accuracy fell by {abs(round(100 * difference.value))} points."
    elif difference.low < -MARGIN:
        yield f"A loss of up to {abs(round(100 * difference.low))} points on general questions is not excluded."


def _about_left_out(left_out: tuple[LeftOut, ...]) -> Iterator[str]:
    count = sum(len(entry.ids) for entry in left_out)
    if count:
        what = "thing was" if count == 1 else "things were"
        yield f"{count} {what} left out of some number; the table says which and why."


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"

"""What a win rate is made of, in words."""

from collections.abc import Iterator

from ..estimate import Comparison, Estimate
from ..words import percent, points
from .result import StyleFindings

HEADLINES = {
    "substance": "It wins by substance",
    "both": "It wins by substance, and by style",
    "style": "It learnt to sound better",
    "no win": "It isn't shown to win",
    "can't tell yet": "Style or substance: can't tell yet",
}


def headline(found: StyleFindings) -> str:
    """Return the finding in a few words."""
    return HEADLINES[found.kind]


def say(found: StyleFindings) -> tuple[str, ...]:
    """Return what was found, a sentence or two for each part."""
    return (*_win(found), *_length(found), *_right(found), *_refusals(found), *found.caveats)


def share(value: float) -> str:
    """Write a share as whole per cent, never as minus nothing."""
    return percent(value if abs(value) >= 0.005 else 0.0)


def span(estimate: Estimate) -> str:
    """Write a share with its interval."""
    return f"{share(estimate.value)} (interval {share(estimate.low)} to {share(estimate.high)})"


def _win(found: StyleFindings) -> Iterator[str]:
    yield f"By {_judge(found.judge)} the tuned model wins {span(found.win_rate)} of {found.prompts} prompts."
    if found.explained is None:
        return
    balanced, style = found.explained.balanced, found.explained.style
    parts = (
        f"with style as often against it as for it, it would win {span(balanced)}; its style brought "
        f"{points(style.value)} points (interval {points(style.low)} to {points(style.high)})"
    )
    yield {
        "substance": f"That is substance: {parts}.",
        "both": f"That is substance and style: {parts}.",
        "style": f"It learnt to sound better: {parts}. A win beyond style isn't shown.",
        "no win": f"Style told apart, {parts}.",
        "can't tell yet": f"Whether that is style or substance can't be told yet: {parts}.",
    }[found.kind]
    if found.explained.share is not None and found.kind != "no win":
        yield f"Style explains {span(found.explained.share)} of what the win rate is above one half."


def _length(found: StyleFindings) -> Iterator[str]:
    changed = [
        f"{abs(one.difference.value):.1f} {one.name} {'more' if one.difference.value > 0 else 'fewer'}"
        for one in found.features
        if one.name != "characters" and not one.difference.low <= 0 <= one.difference.high
    ]
    if changed:
        yield f"An answer of the tuned model has {', '.join(changed)} than the base's, on average."
    if found.matched is not None:
        rate = span(found.matched.win_rate)
        yield f"On the {len(found.matched.prompts)} prompts whose answers look most alike it wins {rate}."


def _right(found: StyleFindings) -> Iterator[str]:
    if found.right is None:
        return
    rate = found.right.rate
    yield f"Right answers: base {percent(rate.base.value)}, tuned {percent(rate.tuned.value)}; {_change(rate)}."
    if found.win_rate.low > 0.5 and rate.verdict == "worse":
        yield "It is preferred more and right less: it learnt to sound better."


def _refusals(found: StyleFindings) -> Iterator[str]:
    if found.refusals is None:
        return
    over, under = found.refusals.over, found.refusals.under
    names = (("refuses what it should answer", over), ("answers what it should refuse", under))
    for what, rate in names:
        if rate is not None:
            base, tuned = percent(rate.base.value), percent(rate.tuned.value)
            yield f"The tuned model {what} in {tuned} of {rate.base.n} prompts, the base in {base}; {_change(rate)}."


def _change(rate: Comparison) -> str:
    low, high = points(rate.difference.low), points(rate.difference.high)
    return f"{points(rate.difference.value)} points (interval {low} to {high})"


def _judge(judge: str) -> str:
    return {"check": "the task check", "people": "people"}.get(judge, judge)

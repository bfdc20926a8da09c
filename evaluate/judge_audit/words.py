"""What an audit says, in sentences."""

from collections.abc import Iterator

from ..estimate import Estimate
from ..words import percent, points
from .result import JudgeAudit, Lean


def words(audit: JudgeAudit) -> tuple[str, ...]:
    """Say whether the judge may gate, how it compares with people, and what it goes by instead."""
    return tuple(_sentences(audit))


def _sentences(audit: JudgeAudit) -> Iterator[str]:
    yield f"{audit.judge} may gate." if audit.may_gate else f"{audit.judge} may not gate: {'; '.join(audit.reasons)}."
    if audit.agreement is not None:
        yield (
            f"Where most people prefer one answer it agrees in {_share(audit.agreement)}, ties counted half, over "
            f"{audit.agreement.n} items on {audit.prompts} prompts, each asked in both orders."
        )
    if audit.beside is not None:
        yield (
            f"Against the majority of the others it agrees in {_share(audit.beside.judge)}, one annotator in "
            f"{_share(audit.beside.people)}: {_change(audit.beside.difference)} points."
        )
    yield from _instead(audit)
    yield from _left_out(audit)


def _instead(audit: JudgeAudit) -> Iterator[str]:
    """Name what the judge goes by, where that is shown."""
    place = audit.position
    yield f"Its verdict stays the same when the answers change places in {_share(place.consistent)}."
    if place.first is not None and (place.first.low > 0.5 or place.first.high < 0.5):
        which = "first" if place.first.low > 0.5 else "second"
        share = place.first.value if which == "first" else 1 - place.first.value
        yield f"It leans to the answer shown {which}: {percent(share)} of its verdicts for one answer go there."
    yield from _about(audit.length, "longer answers", "shorter answers")
    yield from _about(audit.own, "its own answers", "others' answers to its own")
    if audit.over_longer is not None and audit.longer is not None and audit.over_longer.low <= 0:
        yield f"Always naming the longer answer agrees in {_share(audit.longer)}: it is not shown to do better."


def _about(lean: Lean | None, more: str, less: str) -> Iterator[str]:
    if lean is not None and (lean.difference.low > 0 or lean.difference.high < 0):
        what = more if lean.difference.value > 0 else less
        yield (
            f"It prefers {what} more than people do: {percent(lean.judge.value)} against "
            f"{percent(lean.people.value)} ({_change(lean.difference)} points)."
        )


def _left_out(audit: JudgeAudit) -> Iterator[str]:
    rows = {
        "have a verdict that can't be read": audit.unscored,
        "were not put to it": audit.not_asked,
        "have no vote": audit.without_votes,
        "have no majority of people": audit.no_majority,
    }
    found = [f"{len(ids)} {what}" for what, ids in rows.items() if ids]
    if found:
        yield f"Of the items, {', '.join(found)}."
    for flag, count in audit.flags.items():
        yield f"On {count} items: {flag}."


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def _change(estimate: Estimate) -> str:
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"

"""A round as a piece of a page."""

from ..estimate import WinRate
from ..fragments import render_fragment
from .result import HumanRound
from .words import words

HEADLINES = {
    "better": "People prefer the tuned model",
    "worse": "People prefer the base model",
    "can't tell yet": "People can't tell yet which model is better",
}


def section(found: HumanRound, judged: WinRate | None = None) -> str:
    """Return the round as HTML, the judge's win rate beside it where there is one."""
    return render_fragment(
        __package__, found=found, judged=judged, headline=HEADLINES[found.verdict], words=words(found, judged)
    )

"""The overlap of training and evaluation data as a part of the report's page."""

from ..fragments import render_fragment
from .result import Contamination
from .words import KINDS, say

SHOWN = 20
"""Overlaps on the page; all are in the report's JSON."""


def section(found: Contamination) -> str:
    """Return the findings as an HTML fragment."""
    return render_fragment(
        "prefloop.evaluate.contamination", found=found, words=say(found), kinds=KINDS, shown=found.overlaps[:SHOWN]
    )

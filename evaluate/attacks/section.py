"""Attacks as a piece of a page."""

from ..fragments import render_fragment
from .result import AttackReport
from .words import words


def section(report: AttackReport) -> str:
    """Return the attacks as HTML."""
    return render_fragment(__package__, report=report, words=words(report))

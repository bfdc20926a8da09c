"""The quality report: is what people said any good, and what did it cost."""

from .measure import measure
from .page import render_page, write_page
from .report import Dispute, Finding, Profile, Quality

__all__ = ["Dispute", "Finding", "Profile", "Quality", "measure", "render_page", "write_page"]

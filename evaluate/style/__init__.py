"""Style or substance: how much of a win rate is length and markdown, and whether the answers got more often right.

What each number means, and how it did on simulated and real preferences: docs/style.md.
"""

from .compared import Compared
from .decomposition import Decomposition, decompose
from .exact import is_right, read_answers, stated_answer
from .measure import measure_style
from .page import section
from .refusals import is_refusal, read_refusal_labels
from .result import StyleFindings
from .settings import RefusalSettings, StyleSettings
from .words import headline, say

__all__ = [
    "Compared",
    "Decomposition",
    "RefusalSettings",
    "StyleFindings",
    "StyleSettings",
    "decompose",
    "headline",
    "is_refusal",
    "is_right",
    "measure_style",
    "read_answers",
    "read_refusal_labels",
    "say",
    "section",
    "stated_answer",
]

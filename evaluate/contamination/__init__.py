"""Training data that stands in what was measured, and what the results are without it."""

from .find import find_contamination, items_of_file, items_of_pairs, items_of_questions
from .kept import kept_contamination
from .page import section
from .recomputed import with_and_without
from .result import Benchmark, Contamination, Recomputed
from .words import say

__all__ = [
    "Benchmark",
    "Contamination",
    "Recomputed",
    "find_contamination",
    "items_of_file",
    "items_of_pairs",
    "items_of_questions",
    "kept_contamination",
    "say",
    "section",
    "with_and_without",
]

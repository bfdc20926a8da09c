"""The same questions in several wordings: how far a score, and a comparison, depends on words that ask nothing else."""

from .measure import audit_formats
from .result import Flips, Formats, Spread, Variant
from .settings import FormatsSettings
from .spread import spread
from .wordings import Wording, word

__all__ = [
    "Flips",
    "Formats",
    "FormatsSettings",
    "Spread",
    "Variant",
    "Wording",
    "audit_formats",
    "spread",
    "word",
]

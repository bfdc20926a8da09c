"""Preference pairs in, an adapter out. Knows TRL, PEFT and torch."""

from .adapter import Adapter, merge_adapter, read_adapter
from .disagreement import measured
from .dpo import train_dpo
from .preflight import Preflight, preflight
from .settings import TrainSettings

__all__ = [
    "Adapter",
    "Preflight",
    "TrainSettings",
    "measured",
    "merge_adapter",
    "preflight",
    "read_adapter",
    "train_dpo",
]

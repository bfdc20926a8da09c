"""Preference pairs in, an adapter out. Knows TRL, PEFT and torch."""

from .adapter import Adapter, read_adapter
from .disagreement import measured
from .dpo import train_dpo
from .merge import merge_adapter
from .preflight import Preflight, preflight
from .settings import TrainSettings
from .world import World, join_world, one_voice

__all__ = [
    "Adapter",
    "Preflight",
    "TrainSettings",
    "World",
    "join_world",
    "measured",
    "merge_adapter",
    "one_voice",
    "preflight",
    "read_adapter",
    "train_dpo",
]

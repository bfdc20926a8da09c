"""Preference pairs in, an adapter out. Knows TRL, PEFT and torch."""

from .adapter import Adapter, read_adapter
from .disagreement import measured
from .dpo import train_dpo
from .dry_run import DryRun, dry_run
from .merge import merge_adapter
from .preflight import Preflight, preflight
from .settings import TrainSettings
from .template import load_training_tokenizer
from .world import World, join_world, one_voice

__all__ = [
    "Adapter",
    "DryRun",
    "Preflight",
    "TrainSettings",
    "World",
    "dry_run",
    "join_world",
    "load_training_tokenizer",
    "measured",
    "merge_adapter",
    "one_voice",
    "preflight",
    "read_adapter",
    "train_dpo",
]

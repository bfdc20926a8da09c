"""Preference pairs in, an adapter out. Knows TRL, PEFT and torch."""

from .adapter import Adapter, read_adapter
from .checks.preflight import Preflight, preflight
from .dpo import train_dpo
from .dry_run import DryRun, dry_run
from .export.merge import merge_adapter
from .scale.world import World, join_world, one_voice
from .settings import TrainSettings
from .template import load_training_tokenizer
from .votes.disagreement import measured

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

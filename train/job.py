"""What one training was asked for, for all of its stages to read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models import ModelFolder
from ..runs import OnMetrics
from .policy import LoadPolicy
from .settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Job:
    """A training: settings, model, place. The pairs are not in it, for they shrink on the way."""

    settings: TrainSettings
    base: ModelFolder
    tokenizer: "PreTrainedTokenizerBase"
    """With the chat template that is trained with."""
    folder: Path
    identity: dict[str, Any]
    """The settings and the fingerprints of all that goes in: what has the same is the same training."""
    load: LoadPolicy
    on_metrics: OnMetrics

    @property
    def checkpoints(self) -> Path:
        """Where unfinished work is kept."""
        return self.folder / "checkpoints"

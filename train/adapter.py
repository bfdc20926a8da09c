"""What a training makes: the trained weights in a folder of their own, with all that says where they came from.

Mostly they are an adapter's matrices, as PEFT writes them; after full fine-tuning (`use_peft: false`) they are a whole
model, as transformers writes it. Both have the same record.
"""

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import UserError
from ..runs import read_json, write_json
from .settings import TrainSettings
from .watching.stopping import Stopping

RECORD = "prefloop.json"
WEIGHTS = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A trained adapter, or after full fine-tuning a whole model, and its lineage."""

    path: Path
    base_name: str
    """As the user wrote it."""
    base_revision: str
    base_sha256: str
    """The fingerprint of the base's config, weights and tokenizer."""
    data_sha256: str
    """What it was trained on (`manifest`)."""
    sha256: str
    """The fingerprint of the config and the weights that were trained."""
    settings: TrainSettings
    pairs: int
    """Pairs trained on."""
    steps: int
    """Optimiser steps."""
    seconds: float
    """Wall-clock time of the reference pass and the training, without what an interrupted attempt had spent."""
    pairs_per_second: float
    """Pairs trained (each counted once an epoch) by wall-clock second, without the reference pass."""
    metrics: dict[str, float]
    """The mean of every logged metric over the last epoch, under TRL's names."""
    versions: dict[str, str]
    """The libraries it was made with."""
    base_adapter_sha256: str | None = None
    """The fingerprint of the adapter that training went on from, if it did."""
    sft_data_sha256: str | None = None
    """The demonstrations of the supervised stage, where they were others than the pairs' chosen answers."""
    chat_template_sha256: str | None = None
    """The recipe's chat template, where it was not the base's own."""
    held_out: dict[str, float] = field(default_factory=dict)
    """The metrics of these weights on the held-out pairs, under their names in metrics.jsonl; empty without any."""
    stopping: Stopping | None = None
    """Which step's weights these are and why, where held-out pairs chose them; else they are the last step's."""
    hardware: str = ""
    """What it ran on, in a few words; empty in the records of earlier prefloops."""

    @property
    def whole(self) -> bool:
        """Whether it is a whole model, to be loaded without the base."""
        return not self.settings.use_peft


def read_adapter(path: Path) -> Adapter:
    """Read an adapter folder back.

    Raises:
        UserError: it is no adapter of prefloop's, or its weights are not those that were trained.
    """
    if not (path / RECORD).exists():
        raise UserError(f"{path} is no adapter folder of prefloop's: it has no {RECORD}")
    record = read_json(path / RECORD)
    if record["sha256"] != adapter_sha256(path):
        raise UserError(f"the weights in {path} are not those that {RECORD} describes; train again, or restore them")
    read = {"path": path, "settings": TrainSettings.model_validate(record["settings"])}
    chosen = {"stopping": Stopping(**record["stopping"])} if record.get("stopping") else {}
    return Adapter(**record | read | chosen)


def write_record(adapter: Adapter) -> None:
    """Write the lineage beside the weights: last, because its presence says that the adapter is whole."""
    record = asdict(adapter) | {"settings": adapter.settings.model_dump(mode="json")}
    del record["path"]
    write_json(adapter.path / RECORD, record)


def is_whole(path: Path) -> bool:
    """Whether a folder holds a whole model, not an adapter."""
    return (path / "config.json").exists() and not (path / "adapter_config.json").exists()


def weight_files(path: Path) -> list[str]:
    """Return the names of the files that hold config and weights: an adapter's, or a whole model's."""
    if not is_whole(path):
        return list(WEIGHTS)
    return ["config.json", *sorted(file.name for file in path.glob("model*.safetensors*"))]


def adapter_sha256(path: Path) -> str:
    """Return the SHA-256 over config and weights.

    Raises:
        UserError: one of them is missing.
    """
    digest = hashlib.sha256()
    for name in weight_files(path):
        if not (path / name).exists():
            raise UserError(f"{path} is not a whole adapter: {name} is missing")
        with (path / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def same_record(path: Path, expected: dict[str, Any]) -> bool:
    """Whether the folder's record exists and agrees with `expected` on all its keys."""
    if not (path / RECORD).exists():
        return False
    record = read_json(path / RECORD)
    with suppress(ValidationError):  # settings that there were not when it was trained: their defaults are how it was
        record["settings"] = TrainSettings.model_validate(record["settings"]).model_dump(mode="json")
    return all(record.get(key) == value for key, value in expected.items())

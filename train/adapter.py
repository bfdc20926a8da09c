"""What a training makes: the trained weights in a folder of their own, with all that says where they came from.

Mostly they are an adapter's matrices, as PEFT writes them; after full fine-tuning (`use_peft: false`) they are a whole
model, as transformers writes it. Both have the same record.
"""

import hashlib
import logging
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import UserError
from ..models import ModelFolder, load_model, load_tokenizer, resolve_model
from ..runs import read_json, write_json
from .settings import TrainSettings
from .stopping import Stopping
from .surroundings import quiet_libraries

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

RECORD = "prefloop.json"
WEIGHTS = ("adapter_config.json", "adapter_model.safetensors")
LARGEST_MERGE_ERROR = 0.05
"""Natural-log units a token, on average: what rounding the merged weights to bfloat16 may cost."""
PROBE = (
    ("Name three things that grow in a garden.", "Tomatoes, sunflowers and mint all grow well in a small garden."),
    ("Why is the sky blue?", "Air scatters blue light more than red light, so blue reaches us from everywhere."),
    ("Write one line about rain.", "Rain taps the window like a friend who has all afternoon."),
)
"""Texts on which a merged model is compared with base plus adapter."""


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


def weight_files(path: Path) -> list[str]:
    """Return the names of the files that hold config and weights: an adapter's, or a whole model's."""
    if not (path / "config.json").exists():
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


def merge_adapter(adapter: Adapter, base: ModelFolder, out: Path) -> ModelFolder:
    """Write the base with the adapter's matrices added into its weights, in bfloat16, and check that it says the same.

    Raises:
        UserError: the base is not the one trained on, `out` is taken, or rounding moved the merged model too far.
    """
    if adapter.whole:
        raise UserError(f"{adapter.path} is a whole model already: there is nothing to merge")
    _refuse_other_base(adapter, base)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another folder for the merged model")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with quiet_libraries():
        error = _merge(adapter, base, partial)
    if error > LARGEST_MERGE_ERROR:
        shutil.rmtree(partial)
        raise UserError(
            f"merging {adapter.path} into {base.name} moves log-probabilities by {error:.3f} a token "
            f"(at most {LARGEST_MERGE_ERROR}); use the adapter unmerged"
        )
    log.info("merged model agrees with base plus adapter to %.4f a token", error)
    if out.exists():
        out.rmdir()
    partial.rename(out)
    return resolve_model(str(out))


def _merge(adapter: Adapter, base: ModelFolder, out: Path) -> float:
    """Write the merged model; return how far rounding moved the worst probe, in natural-log units a token."""
    import torch
    from peft import PeftModel

    tokenizer = load_tokenizer(base.path)
    # In float32, so that only the finished sum is rounded.
    tuned = PeftModel.from_pretrained(load_model(base.path, dtype=torch.float32), str(adapter.path)).eval()
    expected = _log_probabilities(tuned, tokenizer)
    tuned.merge_and_unload().to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    found = _log_probabilities(load_model(out, dtype=torch.float32), tokenizer)
    return max(abs(a - b) for a, b in zip(expected, found, strict=True))


def _refuse_other_base(adapter: Adapter, base: ModelFolder) -> None:
    if adapter.base_sha256 != base.sha256:
        raise UserError(
            f"{adapter.path} was trained on {adapter.base_name} ({adapter.base_sha256[:12]}), "
            f"not on {base.name} ({base.sha256[:12]})"
        )


def _log_probabilities(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[float]:
    """Return the mean log-probability a token of each probe conversation."""
    import torch

    found = []
    for prompt, response in PROBE:
        turns: list[dict[str, Any]] = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": response},
        ]
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"].to(model.device)
        with torch.no_grad():
            found.append(-float(model(ids, labels=ids).loss))
    return found


def same_record(path: Path, expected: dict[str, Any]) -> bool:
    """Whether the folder's record exists and agrees with `expected` on all its keys."""
    if not (path / RECORD).exists():
        return False
    record = read_json(path / RECORD)
    with suppress(ValidationError):  # settings that there were not when it was trained: their defaults are how it was
        record["settings"] = TrainSettings.model_validate(record["settings"]).model_dump(mode="json")
    return all(record.get(key) == value for key, value in expected.items())

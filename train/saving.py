"""The trained weights on disk: an adapter's as PEFT writes them, all of them as transformers does."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models import ModelFolder
from ..runs import read_json, write_json
from .settings import TrainSettings

if TYPE_CHECKING:
    from trl import DPOTrainer, SFTTrainer


def write_weights(
    trainer: "DPOTrainer | SFTTrainer",
    weights: dict[str, Any] | None,
    settings: TrainSettings,
    base: ModelFolder,
    folder: Path,
) -> None:
    """Write config, weights and tokenizer to a new folder.

    Args:
        trainer: At its end: after full fine-tuning, its weights may be rounded in place.
        weights: All of them, where no process holds them whole.
        settings: Of the training.
        base: Named in an adapter's config.
        folder: Made by this.
    """
    if settings.use_peft:
        # `ref`, if there is one, is the frozen copy of what training went on from.
        trainer.model.save_pretrained(
            folder, state_dict=weights, save_embedding_layers=False, selected_adapters=["default"]
        )
        _name_base(folder / "adapter_config.json", base)
    else:
        _write_whole(trainer, weights, folder)
    trainer.processing_class.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's blank card


def _write_whole(trainer: "DPOTrainer | SFTTrainer", weights: dict[str, Any] | None, folder: Path) -> None:
    """Write the model in bfloat16: that is what autocast computed with at every step, and what is loaded everywhere."""
    import torch

    if weights is None:
        trainer.model.to(torch.bfloat16).save_pretrained(folder)
        return
    rounded = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    trainer.model.save_pretrained(folder, state_dict=rounded)
    write_json(folder / "config.json", read_json(folder / "config.json") | {"dtype": "bfloat16"})


def _name_base(config: Path, base: ModelFolder) -> None:
    """Name the base as the user did, not by a path on this machine; sort what PEFT writes in a set's random order."""
    written = read_json(config)
    written["base_model_name_or_path"] = base.name
    written["revision"] = base.revision if base.source == "hub" else None
    if isinstance(written["target_modules"], list):
        written["target_modules"].sort()
    write_json(config, written)

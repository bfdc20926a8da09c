"""What was saved, read back at once: it must say what was trained, before anything else is thrown away."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..settings import TrainSettings
from ..speed.log_ratio import response_log_probs, sum_log_probs
from .first_step import collate_some, without_trace

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

LARGEST_DIFFERENCE = 0.01
"""Natural-log units for each root of a scored token: the same tokens, kernels and numbers, so as good as nothing."""
READ_BACK = "read_back"
PAIRS = 2
"""That it is compared on: a number that was lost or changed shows on any."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How far what was saved is from what was trained."""

    pairs: int
    """On which it was compared; 0 after full fine-tuning, where the weights themselves are."""
    tensors: int
    """That were compared, after full fine-tuning."""
    difference: float
    """The largest of the log-probabilities of responses, in natural-log units."""


def read_back(trainer: "DPOTrainer", folder: Path, settings: TrainSettings) -> ReadBack | None:
    """Load what was saved beside what was trained, and compare.

    The base is not loaded again: its fingerprint is in the record. Nothing is compared (None) where several processes
    hold parts of the weights.

    Args:
        trainer: At its end; after full fine-tuning with its weights rounded as they were saved.
        folder: With the weights.
        settings: Of the training.

    Raises:
        UserError: it says something else.
    """
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return None
    return _adapter(trainer, folder, settings) if settings.use_peft else _whole(trainer, folder)


def _adapter(trainer: "DPOTrainer", folder: Path, settings: TrainSettings) -> ReadBack:
    batch, ids = collate_some(trainer, settings, PAIRS)
    model = trainer.model
    with without_trace(trainer):
        trained = _log_probs(trainer, batch)
        # Not for inference: in eval mode bitsandbytes repacks 4-bit weights on a CPU, and they say something else.
        model.load_adapter(str(folder), adapter_name=READ_BACK, is_trainable=True)
        model.set_adapter(READ_BACK)
        saved = _log_probs(trainer, batch)
        model.set_adapter("default")
        model.delete_adapter(READ_BACK)
    differences = (trained - saved).abs()
    allowed = LARGEST_DIFFERENCE * batch["completion_mask"].sum(1).clamp(min=1).sqrt()
    if not bool((differences <= allowed).all()):
        worst = int((differences / allowed).nan_to_num(nan=float("inf")).argmax())
        raise UserError(
            f"the adapter written to {folder} does not say what was trained: on pair {ids[worst % len(ids)]} its "
            f"log-probability is {float(saved[worst]):.3f}, not {float(trained[worst]):.3f}; the checkpoints are kept"
        )
    return ReadBack(len(ids), 0, float(differences.max()))


def _whole(trainer: "DPOTrainer", folder: Path) -> ReadBack:
    """Compare all weights: they fill memory once already, so no second model is made of them."""
    import torch
    from safetensors import safe_open

    held, compared, wrong = trainer.model.state_dict(), 0, []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  # it is no dict
                compared += 1
                if not torch.equal(file.get_tensor(name), held[name].cpu().to(torch.bfloat16)):
                    wrong.append(name)
    if wrong or not compared:
        shown = ", ".join(wrong[:5]) or "there are none"
        raise UserError(f"the weights written to {folder} are not those trained ({shown}); the checkpoints are kept")
    return ReadBack(0, compared, 0.0)


def _log_probs(trainer: "DPOTrainer", batch: dict[str, Any]) -> "torch.Tensor":
    return sum_log_probs(response_log_probs(trainer, batch), batch["completion_mask"], None)

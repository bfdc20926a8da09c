"""When a training stops early by its held-out pairs, and the weights it then keeps."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints import step_of

if TYPE_CHECKING:
    from trl import DPOTrainer

ACCURACY = "eval_rewards/accuracies"


@dataclass(frozen=True, slots=True)
class Stopping:
    """Which weights of a training are its result, chosen by the accuracy on the held-out pairs.

    The accuracy of the best of several measurements is too high on average, because it was chosen for being high: an
    honest number comes from the sealed set.
    """

    step: int
    """The last optimiser step that was done."""
    best_step: int
    """The step whose weights are the result."""
    accuracy: float
    """On the held-out pairs after `best_step`."""
    measurements: int
    """From how many the best was chosen."""
    why: str


def measurements(rows: Iterable[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Return step and held-out accuracy of each measurement among the rows of metrics.jsonl."""
    return [(row["step"], row[ACCURACY]) for row in rows if ACCURACY in row]


def best_of(measured: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """Return step and accuracy of the highest accuracy, the earliest of equals: it is nearest to the reference."""
    return max(measured, key=lambda found: (found[1], -found[0]))


def is_over(measured: Sequence[tuple[int, float]], patience: int) -> bool:
    """Whether the last `patience` measurements brought nothing higher than one before them."""
    return bool(measured) and sum(step > best_of(measured)[0] for step, _ in measured) >= patience


def stopping(measured: Sequence[tuple[int, float]], patience: int) -> Stopping:
    """Say what the measurements of a finished training decide."""
    best_step, accuracy = best_of(measured)
    last = measured[-1][0]
    if is_over(measured, patience):
        why = f"stopped: {patience} measurements in a row brought no higher held-out accuracy"
    else:
        why = "ran to its end"
    kept = "the last weights are kept" if best_step == last else f"the weights of step {best_step} are kept"
    return Stopping(last, best_step, accuracy, len(measured), f"{why}; {kept}")


def keep_weights(trainer: "DPOTrainer", folder: Path) -> None:
    """Write every trainable tensor of the model, whole or not at all."""
    from safetensors.torch import save_file

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in _trainable(trainer)}
    save_file(weights, partial / "weights.safetensors")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def restore_weights(trainer: "DPOTrainer", folder: Path) -> None:
    """Put back what `keep_weights` wrote."""
    from safetensors.torch import load_file

    weights = load_file(folder / "weights.safetensors")
    for name, value in _trainable(trainer):
        value.data.copy_(weights[name])


def best_folder(checkpoints: Path, step: int) -> Path:
    """Return where the weights of a step are kept while the training goes on."""
    return checkpoints / f"best-{step}"


def forget_weights(checkpoints: Path, measured: Sequence[tuple[int, float]]) -> None:
    """Delete kept weights but the best, and those that were the best when a checkpoint that is there was taken."""
    taken = [step_of(path) for path in checkpoints.glob("checkpoint-*")]
    now = [[found for found in measured if found[0] <= step] for step in taken] + [list(measured)]
    needed = {best_folder(checkpoints, best_of(until)[0]) for until in now if until}
    for path in checkpoints.glob("best-*"):
        if path not in needed:
            shutil.rmtree(path)


def _trainable(trainer: "DPOTrainer") -> list[tuple[str, Any]]:
    return [(name, value) for name, value in trainer.model.named_parameters() if value.requires_grad]

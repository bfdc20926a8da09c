"""What ends a training from outside, each told in a sentence: a full disk, too little memory, numbers that are none."""

import errno
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..checkpoints import KEPT, step_of, whole
from ..settings import TrainSettings
from .world import World, join_world, share_of

if TYPE_CHECKING:
    from trl import DPOTrainer

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_SAYS = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "PytorchStreamWriter failed writing",
    "iostream error",
)
"""What the writers of weights, which are not Python's, say of a full disk, a quota, and a limit on a file's size."""
OUT_OF_MEMORY_SAYS = ("not enough memory", "can't allocate memory", "CUDA error: out of memory")
STATES = 3
"""What a checkpoint holds of every trained number, each in float32: the weight and Adam's two moments."""
BESIDE = 32 * 2**20
"""Bytes a checkpoint takes beside them, at most: tokenizer, trainer state, random states."""
SHOWN_IDS = 16


@contextmanager
def mishaps_told(folder: Path, settings: TrainSettings) -> Iterator[None]:
    """Tell of a full disk and of too little memory in a sentence; anything else passes through.

    Raises:
        UserError: one of the two happened in the block.
    """
    try:
        yield
    except Exception as error:
        if _says(error, FULL_SAYS) or any(isinstance(e, OSError) and e.errno in FULL for e in _chain(error)):
            raise UserError(_full_disk(folder)) from error
        if _out_of_memory(error):
            raise UserError(_too_little_memory(settings)) from error
        raise


def require_space(trainer: "DPOTrainer", folder: Path) -> None:
    """Make sure before the first step that the checkpoints and the adapter will fit on the disk.

    Raises:
        UserError: they will not.
    """
    one = checkpoint_bytes(trainer)
    # Those that are kept, the one being written, and the adapter, a third of one.
    needed, free = round((KEPT + 1 + 1 / STATES) * one), shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {_size(free)} free, but its checkpoints and adapter take up to {_size(needed)}; "
            "free some space, or choose another --run folder"
        )


def checkpoint_bytes(trainer: "DPOTrainer") -> int:
    """Return how large a checkpoint of this training is, at most, in bytes."""
    trained: int = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    return STATES * 4 * trained + BESIDE


def refuse_no_numbers(trainer: "DPOTrainer", settings: TrainSettings, world: World) -> None:
    """Let the trainer stop at the first loss or gradient that is no number, before it can be saved or logged."""
    from transformers import TrainerCallback

    step = _remember_step(trainer)

    class RefuseNoNumbers(TrainerCallback):
        """Looks at every logged loss and gradient norm; they are those of all processes."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            wrong = [f"{name} {logs[name]}" for name in ("loss", "grad_norm") if not _finite(logs.get(name))]
            if not wrong:
                step.clear()
                return
            ids = sorted({id for found in world.gather(_ids(trainer, step)) for id in found})
            raise UserError(_no_number(state.global_step, wrong, ids, settings))

    # Before those that are there, so that the row reaches neither the run folder nor a tracker.
    trainer.callback_handler.callbacks.insert(0, RefuseNoNumbers())


def _remember_step(trainer: "DPOTrainer") -> list[Any]:
    """Keep the token ids of the optimiser step's batches, for whoever has to say which pairs they were."""
    kept: list[Any] = []
    training_step = trainer.training_step

    def remember(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        kept.append((inputs["input_ids"].detach(), inputs["attention_mask"].detach()))
        return training_step(model, inputs, *args, **kwargs)

    trainer.training_step = remember
    return kept


def _ids(trainer: "DPOTrainer", batches: Sequence[Any]) -> list[str]:
    """Return the ids of the pairs in these batches, found by their tokens, truncation and all."""
    rows = trainer.train_dataset.select_columns(["pair_id", "prompt_ids", "chosen_ids"])
    longest = trainer.args.max_length
    by_tokens = {tuple((row["prompt_ids"] + row["chosen_ids"])[:longest]): row["pair_id"] for row in rows}
    found = []
    for ids, mask in batches:
        for tokens, real in list(zip(ids.tolist(), mask.tolist(), strict=True))[: len(ids) // 2]:
            found.append(by_tokens.get(tuple(token for token, is_real in zip(tokens, real, strict=True) if is_real)))
    return [id for id in found if id]


def _no_number(step: int, wrong: Sequence[str], ids: Sequence[str], settings: TrainSettings) -> str:
    shown = ", ".join(ids[:SHOWN_IDS]) + (f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else "")
    return (
        f"step {step} has {' and '.join(wrong)}, so the training stopped and kept nothing of it (pairs of that step: "
        f"{shown}); try a lower learning_rate than {settings.learning_rate:g}, a longer warmup than "
        f"{settings.warmup:g}, or look at those pairs"
    )


def _finite(value: float | None) -> bool:
    return value is None or math.isfinite(value)


def _full_disk(folder: Path) -> str:
    checkpoints = sorted((folder / "checkpoints").glob("checkpoint-*"), key=step_of)
    good = [path for path in checkpoints if whole(path)]
    needed = max((_bytes(path) for path in checkpoints), default=BESIDE)
    kept = f"step {step_of(good[-1])} is kept" if good else "no step was kept yet"
    return (
        f"{folder} is full: {_size(shutil.disk_usage(folder).free)} are free where a checkpoint takes at least "
        f"{_size(needed)}, or a limit on file sizes is reached; {kept}: free some space and run the same command again"
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _too_little_memory(settings: TrainSettings) -> str:
    at_once = share_of(settings.batch_size, settings.micro_batch_size, join_world().size).pairs
    fewer = next((count for count in range(at_once // 2, 0, -1) if at_once % count == 0), None)
    ways = [
        f"micro_batch_size: {fewer} (the same training, fewer pairs in memory at once)" if fewer else None,
        "gradient_checkpointing: true (more time)" if not settings.gradient_checkpointing else None,
        "quantization: nf4" if settings.use_peft and not settings.quantization else None,
        f"a max_length below {settings.max_length}",
    ]
    return (
        f"memory ran out; try, of the train section and in this order, {'; '.join(way for way in ways if way)}: "
        "`prefloop train --dry-run` estimates what each takes"
    )


def _out_of_memory(error: Exception) -> bool:
    import torch

    kinds = (MemoryError, torch.OutOfMemoryError)
    return any(isinstance(e, kinds) for e in _chain(error)) or _says(error, OUT_OF_MEMORY_SAYS)


def _says(error: BaseException, phrases: Sequence[str]) -> bool:
    return any(phrase in str(e) for e in _chain(error) for phrase in phrases)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__

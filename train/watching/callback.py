"""The run folder's eyes on a training: metrics row by row, held-out pairs, alarms, whole checkpoints, progress."""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...runs import OnMetrics, Progress, append_line, peak_memory_mb, read_lines
from ..checkpoints import mark_whole
from ..scale.world import join_world
from ..settings import TrainSettings
from .alarms import Alarm, alarm_history, alarms, is_checked, merged, write_alarms
from .held_out_metrics import held_out_metrics
from .held_out_scores import HeldOutScores
from .stopping import best_folder, best_of, forget_weights, is_over, keep_weights, measurements

if TYPE_CHECKING:
    from trl import DPOTrainer

log = logging.getLogger(__name__)

MEASURING_SHARE = 0.1
"""Of the training's time: what measuring the held-out pairs may take where nothing else is said."""
TRAIN_PASSES = 3
"""What a training step costs in forward passes over its pairs."""
SPEED = ("pairs_per_second", "tokens_per_second", "memory_mb", "eval_runtime")
"""The metrics that are another's on another day; all others a resumed training repeats to the digit."""


def every_steps(settings: TrainSettings, held_out: int) -> int:
    """Return how many steps lie between two measurements of so many held-out pairs."""
    if settings.held_out.every is not None:
        return settings.held_out.every
    return max(1, math.ceil(held_out / (MEASURING_SHARE * TRAIN_PASSES * settings.batch_size)))


class Watching:
    """What is known of a training while it runs: all of it can be read back from its folder.

    Make it when metrics.jsonl has been cut to the checkpoint that is resumed from.
    """

    def __init__(
        self,
        trainer: "DPOTrainer",
        settings: TrainSettings,
        folder: Path,
        *,
        identity: dict[str, Any],
        held_out: HeldOutScores | None,
        step: Progress,
        on_metrics: OnMetrics,
    ) -> None:
        self._trainer, self._settings, self._folder = trainer, settings, folder
        self._identity, self._held_out, self._step, self._on_metrics = identity, held_out, step, on_metrics
        self._world, self._batches = join_world(), _Batches(trainer)
        self._every = every_steps(settings, len(held_out)) if held_out else 0
        self._rows: list[dict[str, Any]] = self._world.from_main(lambda: read_lines(folder / "metrics.jsonl"))
        self._alarms: dict[str, Alarm] = {alarm.name: alarm for alarm in alarm_history(self._rows)}
        self.measured = measurements(self._rows)
        self._new: dict[str, float] = {}
        if self._world.main:  # measured after the checkpoint, or by another training
            forget_weights(folder / "checkpoints", self.measured)
        if self._patience is not None and (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
            raise UserError(
                "train.held_out.patience keeps the best weights whole, and here every process has a part of them; "
                "leave it out, or train without FSDP and DeepSpeed"
            )

    @property
    def over(self) -> bool:
        """Whether the held-out pairs have ended the training."""
        return self._patience is not None and is_over(self.measured, self._patience)

    def began_step(self) -> None:
        """Start the clock of a step."""
        self._batches.begin()

    def ended_step(self, step: int, last: int) -> None:
        """Measure what is due after a step, before the step is logged and saved."""
        self._new = self._batches.told() if self._world.main else {}
        if self._held_out and (step % self._every == 0 or step == last):
            self._measure(self._held_out, step)
        self._step(step, last)

    def logged(self, step: int, logs: dict[str, Any]) -> None:
        """Add to TRL's row what it does not measure, and write it. TRL counts tokens from zero after a resume."""
        log_ratios = self._batches.log_ratios(logs, self._settings.beta)
        logs |= self._new | log_ratios
        row = {"step": step} | {name: value for name, value in logs.items() if name != "num_tokens"}
        self._rows.append(row)
        if is_checked(row):
            logs["alarms"] = row["alarms"] = len(self._look())
        append_line(self._folder / "metrics.jsonl", row)
        self._on_metrics(row)

    def saved(self, step: int) -> None:
        """Mark a checkpoint whole, and drop kept weights that no resumed training can need any more."""
        mark_whole(self._folder / "checkpoints" / f"checkpoint-{step}", self._identity)
        if self._patience is not None and self.measured:
            forget_weights(self._folder / "checkpoints", self.measured)

    def finish(self) -> None:
        """Write the alarms of the whole training."""
        if not self._world.main:
            return
        self._look()
        write_alarms(self._folder / "alarms.json", self._alarms.values())

    def held_out_at(self, step: int) -> dict[str, float]:
        """Return the held-out metrics that were measured after a step."""
        rows = [row for row in self._rows if row["step"] == step]
        return {name: value for row in rows for name, value in row.items() if name.startswith("eval_")}

    @property
    def _patience(self) -> int | None:
        return self._settings.held_out.patience if self._held_out else None

    def _measure(self, held_out: HeldOutScores, step: int) -> None:
        start = time.monotonic()
        found = held_out_metrics(held_out.score(), self._settings.beta)
        self._new |= found | {"eval_runtime": round(time.monotonic() - start, 3)}
        self.measured += measurements([{"step": step} | found])
        if self._patience is not None and best_of(self.measured)[0] == step:
            if self._world.main:
                keep_weights(self._trainer, best_folder(self._folder / "checkpoints", step))
            self._world.wait()

    def _look(self) -> list[Alarm]:
        """Look at the rows so far, and say what is new."""
        now = alarms(self._rows)
        for alarm in now:
            if alarm.name not in self._alarms:
                log.warning("%s", alarm)
        self._alarms = merged(self._alarms, now)
        return now


class _Batches:
    """What the batches of a step hold, which TRL does not log: lengths, and how fast they go."""

    def __init__(self, trainer: "DPOTrainer") -> None:
        self._max_length, self._world = trainer.args.max_length, join_world()
        self._lengths: list[Any] = []
        self._mean_lengths = (0.0, 0.0)
        self._last = time.monotonic()
        trainer.model.register_forward_pre_hook(self._note, with_kwargs=True)

    def begin(self) -> None:
        """Start the clock of a step."""
        self._last = time.monotonic()
        self._lengths.clear()

    def _note(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        import torch

        if torch.is_grad_enabled() and "labels" in kwargs:
            scored = (kwargs["labels"] != -100).sum(1)
            self._lengths.append(torch.stack([scored, kwargs["attention_mask"].sum(1)]))

    def told(self) -> dict[str, float]:
        """Return what the step's batches were, and how fast; lengths are means over this process's pairs."""
        import torch

        seconds = time.monotonic() - self._last
        halves = [lengths.float().chunk(2, dim=1) for lengths in self._lengths]
        chosen, rejected = (torch.cat(half, dim=1).cpu() for half in zip(*halves, strict=True))
        both = torch.cat([chosen, rejected], dim=1)
        self._mean_lengths = float(chosen[0].mean()), float(rejected[0].mean())
        pairs, tokens = chosen.shape[1] * self._world.size, float(both[1].sum()) * self._world.size
        return {
            "completions/mean_length": round(float(both[0].mean()), 3),
            # A sequence that fills max_length has lost its end, but for one that happens to fit exactly.
            "completions/clipped_ratio": round(float((both[1] >= self._max_length).float().mean()), 6),
            "pairs_per_second": round(pairs / seconds, 3),
            "tokens_per_second": round(tokens / seconds, 1),
            "memory_mb": _memory_mb(),
        }

    def log_ratios(self, logs: Mapping[str, Any], beta: float) -> dict[str, float]:
        """Return the mean log-ratio per token of the step's answers, from TRL's rewards: beta times their log-ratio."""
        lengths = dict(zip(("chosen", "rejected"), self._mean_lengths, strict=True))
        return {
            f"log_ratio_per_token/{side}": round(logs[f"rewards/{side}"] / beta / length, 6)
            for side, length in lengths.items()
            if length and f"rewards/{side}" in logs
        }


def watch(
    trainer: "DPOTrainer",
    settings: TrainSettings,
    folder: Path,
    *,
    identity: dict[str, Any],
    held_out: HeldOutScores | None,
    step: Progress,
    on_metrics: OnMetrics,
) -> Watching:
    """See every step, row and checkpoint of the trainer, before its trackers do.

    Args:
        trainer: Ready to train.
        settings: Of the training.
        folder: Its folder, with metrics.jsonl cut to the checkpoint that is resumed from.
        identity: Marks its checkpoints.
        held_out: The pairs to watch it by, if any.
        step: Called with steps done and all steps.
        on_metrics: Called with every row.

    Raises:
        UserError: the weights are to be kept by held-out pairs, and no process has all of them.
    """
    watching = Watching(
        trainer, settings, folder, identity=identity, held_out=held_out, step=step, on_metrics=on_metrics
    )
    from transformers import TrainerCallback

    world = join_world()

    class Watch(TrainerCallback):
        """Calls `watching`."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watching.began_step()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watching.ended_step(state.global_step, state.max_steps)
            if watching.over:
                control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs and world.main:
                watching.logged(state.global_step, logs)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            world.wait()  # each process writes a part of it
            if world.main:
                watching.saved(state.global_step)

    # First, so that the trackers, which TRL has added already, get the row with what is added to it.
    trainer.callback_handler.callbacks.insert(0, Watch())
    return watching


def _memory_mb() -> int:
    """Return the most memory that was in use: of the GPU where there is one, else of this process (MiB)."""
    import torch

    return int(torch.cuda.max_memory_allocated()) // 2**20 if torch.cuda.is_available() else peak_memory_mb()

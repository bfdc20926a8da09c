"""The run folder's eyes on a training: metrics row by row, whole checkpoints, progress."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs import Progress, append_line
from .checkpoints import mark_whole
from .world import join_world

if TYPE_CHECKING:
    from trl import DPOTrainer


def watch(trainer: "DPOTrainer", metrics: Path, identity: dict[str, Any], step: Progress) -> None:
    """Append every logged row to `metrics`, mark whole checkpoints, call `step` with steps done and all steps."""
    from transformers import TrainerCallback

    world = join_world()

    class Watch(TrainerCallback):
        """The run folder's eyes on the training."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs and world.main:
                # TRL counts tokens from zero again after a resume, so its count would mislead.
                append_line(metrics, {"step": state.global_step} | {k: v for k, v in logs.items() if k != "num_tokens"})

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            world.wait()  # each process writes a part of it
            if world.main:
                mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", identity)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step(state.global_step, state.max_steps)

    trainer.add_callback(Watch())

"""Ctrl-C and SIGTERM: a training stops between two steps, with a checkpoint, and says how to go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...errors import Interrupted
from .world import World

if TYPE_CHECKING:
    from trl import DPOTrainer

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what Slurm, Kubernetes and `torchrun` send before they kill."""


class Stop:
    """What has been asked of this process, and since when it can be obeyed between steps."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The signal that asked to stop."""
        self.stepping = False
        """While steps are taken, the first request waits for the end of the step; at any other time it ends at once."""
        self.step: int | None = None
        """The step after which all processes stopped."""

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """Take a signal.

        Raises:
            Interrupted: no step is running, or it is the second request.
        """
        if not self.stepping or self.signal is not None:
            raise Interrupted("interrupted; the same command goes on from the last checkpoint", 128 + number)
        self.signal = number

    def require_going_on(self, of: int) -> None:
        """Go on, unless the steps ended early because of a signal.

        Raises:
            Interrupted: they did.
        """
        if self.step is not None and self.step < of:
            raise Interrupted(
                f"stopped after step {self.step} of {of} and kept it; the same command goes on from there",
                128 + (self.signal or signal.SIGTERM),
            )


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Take SIGINT and SIGTERM while the block runs; only the main thread may, so elsewhere nothing changes."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            # None: whoever set it did so from C, and Python can't put it back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def stop_between_steps(trainer: "DPOTrainer", stop: Stop, world: World) -> None:
    """Let the trainer look for a request after every step; all processes stop after the same one, with a checkpoint."""
    from transformers import TrainerCallback

    class StopBetweenSteps(TrainerCallback):
        """Asks every process whether it was asked to stop."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            asked = [number for number in world.gather(stop.signal) if number is not None]
            if asked:
                stop.signal, stop.step = asked[0], state.global_step
                control.should_save = control.should_training_stop = True

    trainer.add_callback(StopBetweenSteps())


@contextmanager
def stepping(stop: Stop) -> Iterator[None]:
    """Say that steps are taken while the block runs."""
    stop.stepping = True
    try:
        yield
    finally:
        stop.stepping = False

"""One real optimiser step on the longest pairs: what it takes of time and memory, and what the whole training will."""

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...collect import PreferencePair
from ...models import ModelFolder
from ...runs import peak_memory_mb, reset_peak_memory, silent
from ..policy import LoadPolicy, load_policy
from ..settings import TrainSettings
from ..surroundings import quiet_libraries
from .estimate import gib
from .findings import is_renderable, row_of
from .sanity import optimiser_steps

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one step on the longest pairs took: more memory than any other step will, and more time than most."""

    pairs: int
    tokens: int
    """Of both sequences of each pair, prompts counted twice."""
    seconds: float
    reference_seconds: float
    """What the reference's pass over the same pairs took."""
    peak: int
    """Bytes: of the GPU, or resident in this process."""

    def training_seconds(self, tokens: int, epochs: int) -> float:
        """Return what a training on data of so many tokens takes, in proportion to them; without the reference."""
        return self.seconds * epochs * tokens / self.tokens

    def whole_seconds(self, tokens: int, epochs: int) -> float:
        """The same with the reference's pass over all of it, which stored values may spare."""
        return self.training_seconds(tokens, epochs) + self.reference_seconds * tokens / self.tokens

    def as_rows(self, settings: TrainSettings, pairs: int, tokens: int) -> list[tuple[str, str]]:
        """Return what a person should see, for a training on so many pairs and tokens, as (name, value) rows."""
        reference = self.reference_seconds * tokens / self.tokens
        whole = self.whole_seconds(tokens, settings.epochs)
        step = f"{self.seconds:.1f} s for {self.pairs} pairs ({self.tokens} tokens), the longest"
        return [
            ("a step, measured", step),
            ("memory, measured", gib(self.peak)),
            (
                "time, projected",
                f"{duration(whole)} for {optimiser_steps(settings, pairs)} steps, of it {duration(reference)} for the "
                "reference where none of it is stored yet",
            ),
        ]


def duration(seconds: float) -> str:
    """Return a time as a person reads it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def measure_step(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    tokenizer: "PreTrainedTokenizerBase",
    longest: int,
    load: LoadPolicy = load_policy,
) -> Measured:
    """Train one step on the `batch_size` longest pairs in a folder of its own, and throw the weights away.

    Raises:
        UserError: a setting does not fit the model.
    """
    from ..speed.reference import cache_reference
    from ..trainer import build_trainer

    picked, tokens = _longest(pairs, settings, tokenizer)
    alone = settings.model_copy(update={"report_to": ()})
    with tempfile.TemporaryDirectory() as scratch, quiet_libraries():
        _reset_peak()
        trainer = build_trainer(
            picked, alone, base=base, tokenizer=tokenizer, checkpoints=Path(scratch), longest=longest, load=load
        )
        start = time.monotonic()
        cache_reference(trainer, settings.in_memory, silent)
        reference = time.monotonic() - start
        seconds = _step(trainer)
        return Measured(len(picked), tokens, seconds, reference, _peak())


def tell_after_first_step(trainer: "DPOTrainer", tokens: int) -> None:
    """Say once, after the first step of this process, how long all of it will take and what memory it took.

    Args:
        trainer: With `watch`'s callback, whose measurements it reads.
        tokens: Of one epoch.
    """
    from transformers import TrainerCallback

    class Tell(TrainerCallback):
        """Speaks after the first step."""

        def __init__(self) -> None:
            self.told = False

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if self.told or not logs or not logs.get("tokens_per_second"):
                return
            self.told = True
            left = 1 - (state.global_step - 1) / state.max_steps
            seconds = tokens * state.num_train_epochs * left / logs["tokens_per_second"]
            log.info(
                "the first step took %.1f s and %s: about %s for all %d steps",
                args.train_batch_size * args.gradient_accumulation_steps * args.world_size / logs["pairs_per_second"],
                gib(logs["memory_mb"] * 2**20),
                duration(seconds),
                state.max_steps - state.global_step + 1,
            )

    trainer.add_callback(Tell())


def _longest(
    pairs: Sequence[PreferencePair], settings: TrainSettings, tokenizer: "PreTrainedTokenizerBase"
) -> tuple[list[PreferencePair], int]:
    rows = [row_of(pair, tokenizer, settings.max_length) for pair in pairs if is_renderable(pair)]
    kept = [row for row in rows if len(row.tokens.prompt) < settings.max_length]
    sized = sorted(kept, key=lambda row: -max(len(row.chosen), len(row.rejected)) - len(row.tokens.prompt))
    picked = sized[: settings.batch_size]
    tokens = sum(2 * len(row.tokens.prompt) + len(row.chosen) + len(row.rejected) for row in picked)
    return [row.pair for row in picked], tokens


def _step(trainer: "DPOTrainer") -> float:
    """Take one optimiser step; return its seconds."""
    import torch
    from transformers import TrainerCallback
    from transformers.trainer_utils import SaveStrategy

    times: list[float] = []

    class Clock(TrainerCallback):
        """Stops the time."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.monotonic())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.monotonic())

    trainer.args.max_steps, trainer.args.save_strategy = 1, SaveStrategy.NO
    trainer.add_callback(Clock())
    trainer.train()
    return times[1] - times[0]


def _reset_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    reset_peak_memory()


def _peak() -> int:
    import torch

    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else peak_memory_mb() * 2**20

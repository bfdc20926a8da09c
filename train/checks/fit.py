"""Whether a training fits into the memory there is, and which settings would."""

import importlib.util
import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..settings import TrainSettings
from .estimate import Footprint, Memory, footprint, gib, memory

log = logging.getLogger(__name__)

Device = Literal["cpu", "cuda"]
MARGIN = 1.1
"""The estimate must fit with a tenth to spare."""
SLOWER = {"gradient_checkpointing": 1.3, "quantization": 1.4, "micro_batch_size": 1.03}
"""What a change costs in time: a second forward pass; unpacking weights; each halving of the pairs in memory."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Settings that fit, and what else would stay as it is."""

    changes: dict[str, Any]
    memory: Memory
    slower: float
    """Roughly how many times the time."""

    def __str__(self) -> str:
        changes = ", ".join(f"{name} {str(value).lower()}" for name, value in self.changes.items())
        return f"{changes} ({gib(self.memory.total)})"


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training needs and what there is."""

    device: Device
    room: int
    """Bytes free on the device."""
    memory: Memory | None
    """None where the architecture can't be estimated."""
    suggestions: tuple[Suggestion, ...]
    """The fastest first; empty where it fits as it is, or nothing does."""
    smallest: Memory | None
    """The least that any of these settings needs."""

    @property
    def fits(self) -> bool:
        """Whether it does, by the estimate; true where there is none."""
        return self.memory is None or fits(self.memory, self.room)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say where it does not fit."""
        if self.fits or self.memory is None or self.smallest is None:
            return ()
        place = "GPU memory" if self.device == "cuda" else "memory"
        need = f"will not fit: the estimate is {gib(self.memory.total)} of {place}, and {gib(self.room)} are free"
        if self.suggestions:
            return (f"{need}; try {', or '.join(str(one) for one in self.suggestions)}",)
        least = gib(self.smallest.total)
        return (f"{need}; nothing but a smaller base_model or max_length helps: {least} is the least",)

    def as_rows(self) -> list[tuple[str, str]]:
        """Return what a person should see, as (name, value) rows."""
        if self.memory is None:
            return [("memory, estimated", "not for this architecture; --measure takes a step")]
        name, value = self.memory.as_row()
        return [(name, f"{value}; {gib(self.room)} are free")]


def check_fit(folder: Path, settings: TrainSettings, longest: int) -> Fit:
    """Estimate what a training needs, and look whether the device has it.

    Args:
        folder: The base model's.
        settings: Of the training.
        longest: Tokens of the longest sequence.

    Raises:
        UserError: `target_modules` names a layer that the model does not have.
    """
    device, free = room()
    try:
        shape = footprint(folder, settings, longest)
    except (NotImplementedError, RuntimeError) as error:
        log.info("no memory estimate for this architecture (%s)", str(error).partition("\n")[0] or type(error).__name__)
        return Fit(device, free, None, (), None)
    needs = memory(shape, settings, device=device)
    if fits(needs, free):
        return Fit(device, free, needs, (), needs)
    others = [one.memory for one in _alternatives(shape, settings, device)]
    smallest = min([needs, *others], key=lambda found: found.total)
    return Fit(device, free, needs, suggest(shape, settings, free, device), smallest)


def suggest(shape: Footprint, settings: TrainSettings, free: int, device: Device) -> tuple[Suggestion, ...]:
    """Return settings that fit by the same estimate, the fastest first; none that changes more than another one."""
    fitting = [one for one in _alternatives(shape, settings, device) if fits(one.memory, free)]
    needed = [one for one in fitting if not any(_spares(other, one) for other in fitting)]
    return tuple(sorted(needed, key=lambda one: one.slower)[:SHOWN])


def fits(needs: Memory, free: int) -> bool:
    """Whether the estimate, with its margin, is in what is free."""
    return needs.total * MARGIN <= free


def room() -> tuple[Device, int]:
    """Return the device that will train and the bytes free on it, in a container those that it may still take."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.cuda.mem_get_info()[0]
    free = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and (bound := limit.read_text().strip()).isdigit():
        free = min(free, int(bound) - int(used.read_text()))
    # What this process holds already is counted in the estimate.
    return "cpu", free + psutil.Process().memory_info().rss


def _alternatives(shape: Footprint, settings: TrainSettings, device: Device) -> Iterator[Suggestion]:
    """Every way to spend time instead of memory."""
    share = settings.in_memory
    sizes = [size for size in range(share, 0, -1) if share % size == 0]
    checkpointing = [False, True] if not settings.gradient_checkpointing else [True]
    quantised = [None, "nf4"] if _may_quantise(settings) else [settings.quantization]
    for size, checkpointed, packed in itertools.product(sizes, checkpointing, quantised):
        wanted = {"micro_batch_size": size, "gradient_checkpointing": checkpointed, "quantization": packed}
        now = {name: getattr(settings, name) for name in wanted} | {"micro_batch_size": share}
        changes = {name: value for name, value in wanted.items() if value != now[name]}
        if changes:
            needs = memory(shape, settings.model_copy(update=changes), device=device)
            yield Suggestion(changes, needs, _slower(changes, share))


def _may_quantise(settings: TrainSettings) -> bool:
    return settings.use_peft and not settings.quantization and importlib.util.find_spec("bitsandbytes") is not None


def _slower(changes: dict[str, Any], share: int) -> float:
    halvings = math.log2(share / int(changes.get("micro_batch_size", share)))
    factor: float = SLOWER["micro_batch_size"] ** halvings
    return factor * math.prod(SLOWER[name] for name in changes if name != "micro_batch_size")


def _spares(one: Suggestion, other: Suggestion) -> bool:
    """Whether `one` changes strictly less than `other`, so that nobody needs to see `other`."""
    if one is other or not set(one.changes) <= set(other.changes):
        return False
    mine, theirs = (float(each.changes.get("micro_batch_size", math.inf)) for each in (one, other))
    return mine >= theirs

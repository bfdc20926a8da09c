"""One training in several processes: who they are, what only the first of them does, and how they end together.

A launcher (`torchrun`, `accelerate launch`) starts the same command once a device and names each process in its
environment. The main process (rank 0) alone writes to the run folder; what it finds out it tells the others.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import Interrupted, UserError
from .sharding import refuse_unfit_sharding

if TYPE_CHECKING:
    from trl import DPOTrainer

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = timedelta(days=2)
"""How long processes wait for what the main one does alone; a process that dies ends all at once all the same."""


@dataclass(frozen=True, slots=True)
class World:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1
    group: Any = None
    """torch's group for messages between them, over TCP on CPUs even where the training talks over GPUs."""

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def from_main(self, work: Callable[[], T]) -> T:
        """Do something in the main process alone, and return what came of it in all of them.

        Raises:
            Exception: in the main process, whatever `work` raised; the others leave quietly.
        """
        if self.size == 1:
            return work()
        found: list[Any] = [None]
        if self.main:
            try:
                found = [(True, work())]
            except BaseException:
                self._send([(False, None)])
                raise
        good, value = self._send(found)
        if not good:
            raise SystemExit(2)
        return value  # type: ignore[no-any-return]

    def gather(self, value: T) -> list[T]:
        """Return every process's value, by rank."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self.group)
        return found

    def wait(self) -> None:
        """Go on when all have come here."""
        self.gather(None)

    def _send(self, found: list[Any]) -> Any:
        import torch.distributed as dist

        dist.broadcast_object_list(found, src=0, group=self.group)
        return found[0]


def join_world(processes: int | None = None) -> World:
    """Take this process's place among those that its launcher started; alone without a launcher.

    Args:
        processes: how many there should be, None for as many as there are.

    Raises:
        UserError: there are more or fewer, or several GPUs are visible to a process that stands alone.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if processes not in (None, size):
        raise UserError(
            f"--processes asks for {processes} processes, but {size} {'runs' if size == 1 else 'run'}; start as many "
            "with `torchrun --nproc-per-node` or, on GPUs, with `accelerate launch --num_processes` (which starts a "
            "single one where there is no GPU)"
        )
    return _join(size)


@cache
def _join(size: int) -> World:
    if size == 1:
        return World()
    import torch
    import torch.distributed as dist
    from accelerate import PartialState

    refuse_unfit_sharding()
    state = PartialState(cpu=not torch.cuda.is_available())
    return World(state.process_index, state.num_processes, dist.new_group(backend="gloo", timeout=PATIENCE))


@dataclass(frozen=True, slots=True)
class Share:
    """What one process does of an optimiser step."""

    pairs: int
    """In memory at once."""
    batches: int
    """One after the other, their gradients added up."""


def share_of(batch_size: int, micro_batch_size: int | None, processes: int) -> Share:
    """Divide a step's pairs among the processes, so that the step is the same however many they are.

    Args:
        batch_size: pairs a step, of all processes together.
        micro_batch_size: pairs in one process's memory at once; None for its whole share.
        processes: how many there are.

    Raises:
        UserError: they do not divide.
    """
    if batch_size % processes:
        raise UserError(
            f"train.batch_size {batch_size} is the number of pairs a step of all processes together and can't be "
            f"shared evenly among {processes}; start as many processes as divide it"
        )
    share = batch_size // processes
    pairs = micro_batch_size or share
    if share % pairs:
        raise UserError(
            f"each of {processes} processes has {share} of train.batch_size {batch_size} pairs a step, and "
            f"train.micro_batch_size {pairs} does not divide them; take a micro_batch_size that divides {share}"
        )
    return Share(pairs, share // pairs)


def repeated_pairs(pairs: int, at_once: int, processes: int) -> int:
    """Return how many pairs an epoch trains on twice, because accelerate gives every process equally many batches.

    Args:
        pairs: trained on.
        at_once: in one process's memory.
        processes: how many there are.
    """
    return 0 if processes == 1 else -pairs % (at_once * processes)


def tell_repeated(trainer: "DPOTrainer", world: World) -> None:
    """Log how many pairs each epoch trains on twice."""
    pairs = len(trainer.train_dataset)
    if twice := repeated_pairs(pairs, trainer.args.per_device_train_batch_size, world.size):
        log.warning("%d pairs don't fill %d processes' last batches: each epoch repeats %d", pairs, world.size, twice)


def refuse_lone_process_with_many_gpus() -> None:
    """TRL would refuse it too, but only after everything is loaded.

    Raises:
        UserError: several GPUs are visible, and no launcher has given this process one of them.
    """
    import torch

    if "WORLD_SIZE" not in os.environ and torch.cuda.device_count() > 1:
        raise UserError(
            f"{torch.cuda.device_count()} GPUs are visible to one process; start one process a GPU "
            "(docs/scale.md), or show it a single GPU: CUDA_VISIBLE_DEVICES=0"
        )


@contextmanager
def one_voice(world: World) -> Iterator[None]:
    """Let only one process tell of an error that several have, or that one has caused the others.

    Raises:
        UserError: it was this process that should tell; the other processes leave quietly with the same exit code.
    """
    if world.size == 1:
        yield
        return
    try:
        yield
    except Interrupted as stopped:
        if not world.main:
            raise SystemExit(stopped.exit_code) from None
        raise
    except UserError as error:
        if not _first_to_say(str(error)):
            raise SystemExit(2) from None
        raise
    except RuntimeError as error:
        if not _is_lost_contact(error):
            raise
        if _something_said() or not _first_to_say("lost contact"):
            raise SystemExit(2) from None
        raise UserError(
            "another process of this training has ended, so all end; the same command goes on from the last checkpoint"
        ) from error


def _is_lost_contact(error: RuntimeError) -> bool:
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _store() -> Any:
    """Return the launcher's store: it outlives the processes that have said something."""
    from torch.distributed import PrefixStore
    from torch.distributed.distributed_c10d import _get_default_store

    return PrefixStore("prefloop", _get_default_store())


def _first_to_say(message: str) -> bool:
    store = _store()
    store.add("said", 1)
    return bool(store.add(hashlib.sha256(message.encode()).hexdigest(), 1) == 1)


def _something_said() -> bool:
    return bool(_store().add("said", 0) > 0)

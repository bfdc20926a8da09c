"""The cells of a sweep at work: in this process one after the other, or one process a GPU. Killed, they go on.

sweeps/main/
  manifest.json        what is compared on what; it only ever grows
  base.json            the base model's scores, shared by all cells
  cells/<cell>/        a training's folder, and cell.json: its scores, written last
  sweep.json sweep.html
"""

import gc
import logging
import multiprocessing
import os
import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, Sealed
from ..collect.item import content_hash
from ..collect.pair import TIE
from ..errors import Interrupted, UserError
from ..models import ModelFolder
from ..runs import Progress, read_json, write_json
from ..train.sweep import Cell

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ..evaluate.likelihood import PairScore
    from ..train.scale.sharing import SharedBase

log = logging.getLogger(__name__)

PART = 100
"""A cell in units of progress; the last ten of them are its measurement."""
ANSWER_EVERY = 0.5
"""Seconds between two looks at whether the workers are still there."""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a worker needs to know."""

    folder: Path
    base: ModelFolder
    training: tuple[PreferencePair, ...]
    measured: tuple[PreferencePair, ...]
    sealed: Sealed
    batch_size: int
    """Sequences in one forward pass of the measurement."""
    cells: tuple[Cell, ...]

    def identity(self, cell: Cell | None) -> str:
        """Return the hash of all that a cell's scores depend on; without a cell, the base model's."""
        train = cell and [cell.train.model_dump(mode="json"), pairs_hash(self.training)]
        return content_hash([train, self.base.sha256, [pair.id for pair in self.measured], self.batch_size])

    def done(self, cell: Cell) -> dict[str, Any] | None:
        """Return a finished cell's record, None of any other."""
        return _known(self.folder / "cells" / cell.name / "cell.json", self.identity(cell))

    def failed(self, cell: Cell) -> Path:
        """Return where it is written why a training came to no end."""
        return self.folder / "cells" / cell.name / "failed.json"


def pairs_hash(pairs: Sequence[PreferencePair]) -> str:
    """Return the hash of pairs and what the votes on them weigh, in whatever order."""
    return content_hash(sorted([pair.id, pair.kind, pair.weight] for pair in pairs))


def read_by(cell: Cell, training: Sequence[PreferencePair]) -> list[PreferencePair]:
    """Return what a cell trains on: the tied rows are for settings that know what a tie is."""
    return [pair for pair in training if pair.kind != TIE or cell.train.votes.ties != "drop"]


def gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES would be for each GPU that this process may use."""
    import torch

    if not torch.cuda.is_available():
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]


def run_cells(job: Job, devices: Sequence[str], progress: Progress) -> None:
    """Finish every cell that can be finished; a training that fails is written down and the others go on.

    Args:
        job: The cells and what they need.
        devices: A worker's CUDA_VISIBLE_DEVICES each; with fewer than two, all is done in this process.
        progress: Called with hundredths of cells done, and their number.

    Raises:
        Interrupted: somebody asked to stop.
    """
    total, open_cells = PART * len(job.cells), [cell for cell in job.cells if not job.done(cell)]
    for cell in open_cells:
        job.failed(cell).unlink(missing_ok=True)
    before = PART * (len(job.cells) - len(open_cells))
    progress(before, total)
    parts: dict[str, int] = {}

    def advance(name: str, part: int) -> None:
        parts[name] = part
        progress(before + sum(parts.values()), total)

    if min(len(devices), len(open_cells)) < 2:
        _work(job, advance)
    else:
        _in_processes(job, devices[: len(open_cells)], advance)
    progress(total, total)  # the workers' last words may be lost


def _in_processes(job: Job, devices: Sequence[str], advance: Any) -> None:
    context = multiprocessing.get_context("spawn")
    news: Any = context.Queue()
    workers = [context.Process(target=_worker, args=(job, device, news), daemon=True) for device in devices]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            try:
                advance(*news.get(timeout=ANSWER_EVERY))
            except queue.Empty:
                continue
    except (KeyboardInterrupt, Interrupted) as error:
        for worker in workers:
            if worker.is_alive() and worker.pid:
                os.kill(worker.pid, signal.SIGINT)
        raise Interrupted("stopped; the same command goes on from there", 128 + signal.SIGINT) from error
    finally:
        for worker in workers:
            worker.join()
    if lost := [worker.exitcode for worker in workers if worker.exitcode]:
        raise RuntimeError(f"{len(lost)} of {len(workers)} workers ended with {lost}; finished trainings are kept")


def _worker(job: Job, device: str, news: Any) -> None:
    """Work on one GPU; end when the parent is gone, even if it was killed."""
    os.setpgrp()  # Ctrl-C reaches the parent alone, which passes it on once
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    parent = multiprocessing.parent_process()

    def advance(name: str, part: int) -> None:
        if parent and not parent.is_alive():
            raise SystemExit(1)
        news.put((name, part))

    try:
        _work(job, advance)
    except (KeyboardInterrupt, Interrupted):
        news.cancel_join_thread()


def _work(job: Job, advance: Any) -> None:
    """Do every cell that nobody else does."""
    from ..train.scale.sharing import SharedBase

    shared = SharedBase(job.base)
    for cell in job.cells:
        with _claimed(job.folder / "claims" / cell.name) as ours:
            if not ours or job.failed(cell).exists() or job.done(cell):
                continue
            try:
                _finish(job, cell, shared, advance)
            except UserError as error:
                log.warning("%s came to no end: %s", cell.name, error)
                write_json(job.failed(cell), {"why": str(error)})
            advance(cell.name, PART)
            gc.collect()  # a trainer is a circle of references around its weights


def _finish(job: Job, cell: Cell, shared: "SharedBase", advance: Any) -> None:
    from ..train import train_dpo

    folder = job.folder / "cells" / cell.name

    def trained(done: int, total: int) -> None:
        advance(cell.name, round((PART - 10) * done / total))

    adapter = train_dpo(
        read_by(cell, job.training),
        cell.train,
        base=job.base,
        folder=folder,
        progress=trained,
        sealed=job.sealed,
        load=shared.policy,
    )
    start = folder / "sft" / "start" if cell.train.sft else cell.train.base_adapter
    reference = _scores(job, shared.tuned(start)) if start else base_scores(job, shared)
    scores = _scores(job, shared.tuned(adapter.path))
    steps_per_second = adapter.pairs_per_second / cell.train.batch_size
    write_json(
        folder / "cell.json",
        {
            "identity": job.identity(cell),
            "adapter_sha256": adapter.sha256,
            "steps": adapter.steps,
            "seconds": round(adapter.steps / steps_per_second, 1),
            "reference": [asdict(score) for score in reference],
            "scores": [asdict(score) for score in scores],
        },
    )
    log.info("%s is trained and measured", cell.name)


def base_scores(job: Job, shared: "SharedBase") -> "list[PairScore]":
    """Return the base model's scores: computed once, whoever comes first."""
    path, identity = job.folder / "base.json", job.identity(None)
    with _claimed(job.folder / "claims" / "base", wait=True):
        known = _known(path, identity)
        if known is None:
            known = {"identity": identity, "scores": [asdict(score) for score in _scores(job, shared.plain())]}
            write_json(path, known)
    return read_scores(known["scores"])


def read_scores(rows: Sequence[dict[str, Any]]) -> "list[PairScore]":
    """Return the scores in a cell's or the base's record."""
    from ..evaluate.likelihood import PairScore, Scored

    return [PairScore(Scored(**row["chosen"]), Scored(**row["rejected"])) for row in rows]


def _scores(job: Job, model: "PreTrainedModel") -> "list[PairScore]":
    from ..evaluate.likelihood import score_pairs
    from ..train.rows import tokenise
    from ..train.template import load_training_tokenizer

    tokenizer = load_training_tokenizer(job.base, job.cells[0].train)
    tokens = [tokenise(pair, tokenizer) for pair in job.measured]
    found: dict[int, PairScore] = {}
    for batch in score_pairs(model, tokenizer, tokens, batch_size=job.batch_size):
        found |= batch
    return [found[number] for number in range(len(tokens))]


def _known(path: Path, identity: str) -> dict[str, Any] | None:
    record: dict[str, Any] | None = read_json(path) if path.exists() else None
    return record if record and record["identity"] == identity else None


@contextmanager
def _claimed(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a lock that ends with the process; without `wait`, yield False where somebody else holds it."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True

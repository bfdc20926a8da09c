"""The cells of a sweep, each trained and measured in a folder of its own. Killed, they go on.

sweeps/main/
  manifest.json        what is compared on what; it only ever grows
  base.json            the base model's scores, shared by all cells
  cells/<cell>/        a training's folder, and cell.json: its scores, written last
  sweep.json sweep.html
"""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, Sealed
from ..collect.item import content_hash
from ..collect.pair import TIE
from ..errors import UserError
from ..models import ModelFolder
from ..runs import read_json, write_json
from ..train.sweep import Cell

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ..evaluate.likelihood import PairScore
    from ..train.scale.sharing import SharedBase

log = logging.getLogger(__name__)

PART = 100
"""A cell in units of progress; the last ten of them are its measurement."""
Advance = Callable[[str, int], None]
"""Called with a cell's name and how many of its units are done."""


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
    long: bool = False
    """Whether there is work enough for several processes on one CPU to win back what starting them takes."""

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


def work(job: Job, advance: Advance) -> None:
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


def _finish(job: Job, cell: Cell, shared: "SharedBase", advance: Advance) -> None:
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

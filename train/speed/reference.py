"""The reference model's log-probabilities: computed once for each row, and kept for all trainings to come.

TRL's own `precompute_ref_log_probs` copies and hashes the whole model first, and its cache is keyed on what does not
matter (learning rate, seed, rank) and not on some of what does (`ld_alpha`, `max_length`). Here a row's key is what the
model is asked: weights and arithmetic, the tokens after truncation, `ld_alpha`. Nothing else can make an entry stale.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...models import ModelFolder
from ...runs import Progress
from ..adapter import adapter_sha256
from ..policy import without_wrapping
from ..scale.world import join_world
from ..settings import TrainSettings
from .completion_head import encodes_each_alone
from .log_ratio import arithmetic, response_log_probs, sum_log_probs, tolerance
from .reference_store import LogProbs, ReferenceStore

if TYPE_CHECKING:
    from trl import DPOTrainer

log = logging.getLogger(__name__)

SPOT_CHECKED = 3
"""Rows found in the store that are computed again, drawn anew each time."""
WRITTEN_AT_ONCE = 32
"""Rows; what a kill loses."""


def reference_weights(base: ModelFolder, settings: TrainSettings, start: Path | None) -> str:
    """Return what tells the reference's weights from all others: the base, and what training starts from upon it."""
    start = start or settings.base_adapter
    quantised = f", {settings.quantization}" if settings.quantization else ""
    whole = "" if settings.use_peft else ", all trained"
    return f"{base.sha256}{quantised}{whole}" + (f" + {adapter_sha256(start)}" if start else "")


def cache_reference(
    trainer: "DPOTrainer",
    batch_size: int,
    progress: Progress,
    *,
    weights: str | None = None,
    compiled: bool = False,
) -> dict[str, int]:
    """Give every row its reference log-probabilities, once instead of once an epoch.

    Under several processes each computes its share, in equally many batches, as sharded models need it.

    Args:
        trainer: Ready to train; its policy still is the reference.
        batch_size: Rows at once on a GPU, or where each is encoded alone anyway. Otherwise it is one on a CPU, where a
            row's value then depends on nothing but the row.
        progress: Called with pairs done and all pairs.
        weights: `reference_weights`; None keeps nothing and looks nothing up.
        compiled: Whether the policy's layers are. Then it computes its own reference, for compiled code rounds in other
            places: half a nat a response, which the training would take for reward.

    Returns:
        How many rows were `found` in the store, and how many were `computed` (one that occurs twice, once).

    Raises:
        UserError: the compiled policy is not its reference.
    """
    # In eval mode bitsandbytes repacks 4-bit weights on a CPU for good, and gradients no longer pass through them.
    trainer.model.train()
    rows = list(trainer.train_dataset)
    keys = [_key(row, trainer) for row in rows]
    if trainer.accelerator.device.type == "cpu" and not encodes_each_alone(without_wrapping(trainer.model)):
        batch_size = 1
    store = _store(trainer, weights, compiled) if weights else None
    known = join_world().from_main(lambda: store.read(sorted(set(keys)))) if store else {}
    if store and known and not _still_true(trainer, rows, keys, known):
        log.warning("stored reference log-probabilities are not what this machine computes: all are computed anew")
        join_world().from_main(store.forget)
        known = {}
    found = len(keys) - sum(key not in known for key in keys)
    missing = sorted({key: row for key, row in zip(keys, rows, strict=True) if key not in known}.items(), key=_size)
    progress(found, len(rows))
    ask = _by_policy if compiled else _by_reference
    made = _compute(trainer, missing, batch_size, store, ask, lambda n: progress(found + n, len(rows)))
    if compiled and made and not _still_true(trainer, rows, keys, made):
        raise UserError("the compiled policy is not its reference; set train.torch_compile to false to see why")
    known |= made
    chosen, rejected = ([known[key][side] for key in keys] for side in (0, 1))
    trainer.train_dataset = trainer.train_dataset.add_column("ref_chosen_logps", chosen).add_column(
        "ref_rejected_logps", rejected
    )
    trainer.precompute_ref_logps = True
    log.info("reference log-probabilities: %d pairs from the store, %d computed", found, len(missing))
    return {"found": found, "computed": len(missing)}


def _key(row: dict[str, Any], trainer: "DPOTrainer") -> str:
    """Return the content hash of what the model is asked about a row."""
    prompt, limit = row["prompt_ids"], trainer.args.max_length
    room = None if limit is None else max(0, limit - len(prompt))
    asked = [prompt, row["chosen_ids"][:room], row["rejected_ids"][:room], trainer.ld_alpha]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _store(trainer: "DPOTrainer", weights: str, compiled: bool) -> ReferenceStore:
    how = f"{arithmetic(trainer)} on {trainer.accelerator.device.type}" + (", compiled" if compiled else "")
    made_with = {"weights": weights, "arithmetic": how} | {name: version(name) for name in ("torch", "transformers")}
    return ReferenceStore(hashlib.sha256(f"{weights}, {how}".encode()).hexdigest(), made_with)


def _size(keyed: tuple[str, dict[str, Any]]) -> tuple[int, str]:
    """Order rows from long to short: what does not fit into memory fails at once."""
    key, row = keyed
    return -len(row["prompt_ids"]) - max(len(row["chosen_ids"]), len(row["rejected_ids"])), key


def _still_true(
    trainer: "DPOTrainer", rows: Sequence[dict[str, Any]], keys: Sequence[str], known: dict[str, LogProbs]
) -> bool:
    """Compute some of the known rows again, and see whether they differ by more than rounding."""
    import torch

    where = {key: index for index, key in enumerate(keys)}
    drawn = join_world().from_main(lambda: SystemRandom().sample(sorted(known), min(SPOT_CHECKED, len(known))))
    batch = trainer.data_collator([rows[where[key]] for key in drawn])
    again, before = (
        torch.tensor(found).t() for found in (_by_reference(trainer, batch), [known[key] for key in drawn])
    )
    allowed = tolerance(trainer, batch["completion_mask"].sum(1)).view(2, -1)
    return bool(((again - before).abs() <= allowed).all())


def _compute(
    trainer: "DPOTrainer",
    missing: Sequence[tuple[str, dict[str, Any]]],
    batch_size: int,
    store: ReferenceStore | None,
    ask: "Callable[[DPOTrainer, dict[str, Any]], list[LogProbs]]",
    progress: Any,
) -> dict[str, LogProbs]:
    """Compute rows batch by batch, each process its share, and keep them as they come."""
    world = join_world()
    found: dict[str, LogProbs] = {}
    unwritten: list[tuple[str, LogProbs]] = []
    for number, part in enumerate(_share(missing, batch_size)):
        batch = trainer.data_collator([row for _, row in part])
        made = [(key, pair) for (key, _), pair in zip(part, ask(trainer, batch), strict=True)]
        found.update(made)
        unwritten += made
        if store and len(unwritten) >= WRITTEN_AT_ONCE:
            store.write(unwritten)
            unwritten = []
        progress(min(len(missing), (number + 1) * batch_size * world.size))
    if store and unwritten:
        store.write(unwritten)
    return {key: pair for part in world.gather(found) for key, pair in part.items()}


def _share(missing: Sequence[tuple[str, dict[str, Any]]], batch_size: int) -> Iterator[Sequence[Any]]:
    """Yield this process's batches; every process gets as many, the last of them twice where they don't divide."""
    world, starts = join_world(), range(0, len(missing), batch_size)
    for turn in range(-(-len(starts) // world.size)):
        start = starts[min(turn * world.size + world.rank, len(starts) - 1)]
        yield missing[start : start + batch_size]


def _by_reference(trainer: "DPOTrainer", batch: dict[str, Any]) -> list[LogProbs]:
    chosen, rejected = trainer.compute_ref_log_probs(trainer.model, _placed(trainer, batch))
    return list(zip(chosen.tolist(), rejected.tolist(), strict=True))


def _by_policy(trainer: "DPOTrainer", batch: dict[str, Any]) -> list[LogProbs]:
    """Ask the policy as a training step does, with gradients: only so do compiled layers run compiled."""
    batch = _placed(trainer, batch)
    per_token = response_log_probs(trainer, batch).detach()
    chosen, rejected = sum_log_probs(per_token, batch["completion_mask"], trainer.ld_alpha).chunk(2)
    return list(zip(chosen.tolist(), rejected.tolist(), strict=True))


def _placed(trainer: "DPOTrainer", batch: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.to(trainer.accelerator.device) for name, tensor in batch.items()}

"""The reference model's log-probabilities, computed once."""

from typing import TYPE_CHECKING, Any

from ..runs import Progress

if TYPE_CHECKING:
    from trl import DPOTrainer


def cache_reference(trainer: "DPOTrainer", batch_size: int, progress: Progress) -> None:
    """Compute the reference log-probabilities once, instead of once an epoch.

    TRL's own `precompute_ref_log_probs` does the same, but copies and hashes the whole model first, and its cache can
    be stale. `progress` is called with pairs done and all pairs.
    """
    # In eval mode bitsandbytes repacks 4-bit weights on a CPU for good, and gradients no longer pass through them.
    trainer.model.train()
    rows = trainer.train_dataset
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["prompt_ids"]) - _longer_response(rows[i]))
    chosen, rejected = [0.0] * len(rows), [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = trainer.data_collator([rows[i] for i in indices])
        batch = {name: tensor.to(trainer.accelerator.device) for name, tensor in batch.items()}
        found = trainer.compute_ref_log_probs(trainer.model, batch)
        for values, column in zip(found, (chosen, rejected), strict=True):
            for index, value in zip(indices, values.tolist(), strict=True):
                column[index] = value
        progress(start + len(indices), len(order))
    trainer.train_dataset = rows.add_column("ref_chosen_logps", chosen).add_column("ref_rejected_logps", rejected)
    trainer.precompute_ref_logps = True


def _longer_response(row: dict[str, Any]) -> int:
    return max(len(row["chosen_ids"]), len(row["rejected_ids"]))

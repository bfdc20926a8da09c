"""Log-probabilities of whole responses, and how far two passes over the same tokens may differ by rounding."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

ROUNDING = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.3}
"""Natural-log units for each root of a scored token, by the type of the arithmetic: several times what was measured on
SmolLM2-135M and on a random model, whose logits are wilder (docs/preflight.md)."""


def tolerance(trainer: "DPOTrainer", lengths: "torch.Tensor") -> "torch.Tensor":
    """Return how far a response's log-probability may differ between two batches, in natural-log units.

    Other padding, other kernels: each token's rounding is as good as independent, so the sum's grows with the root of
    their number.

    Args:
        trainer: For the type of its arithmetic.
        lengths: Scored tokens of each response.
    """
    return ROUNDING[arithmetic(trainer)] * lengths.clamp(min=1).sqrt()


def arithmetic(trainer: "DPOTrainer") -> str:
    """Return the type in which the model multiplies, under torch's name."""
    mixed = {"bf16": "bfloat16", "fp16": "float16"}
    if trainer.accelerator.mixed_precision in mixed:
        return mixed[trainer.accelerator.mixed_precision]
    return str(trainer.model.dtype).removeprefix("torch.")


def response_log_probs(trainer: "DPOTrainer", batch: dict[str, Any]) -> "torch.Tensor":
    """Return the policy's log-probabilities (2 x pairs, tokens - 1), asked as the trainer asks; 0 where unscored."""
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    asked = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with trainer.accelerator.autocast():
        found: torch.Tensor = trainer.model(**asked, labels=labels, fused_lm_head=True, use_cache=False).log_probs
    return found[:, -(labels.shape[1] - 1) :]


def sum_log_probs(per_token: "torch.Tensor", mask: "torch.Tensor", ld_alpha: float | None) -> "torch.Tensor":
    """Sum log-probabilities over the scored tokens as TRL does; beyond the shorter side's length they count ld_alpha.

    Args:
        per_token: (2 x pairs, tokens - 1), chosen first, 0 where nothing is scored.
        mask: The collator's completion_mask, (2 x pairs, tokens).
        ld_alpha: LD-DPO's (arXiv 2409.06411); None is a plain sum.
    """
    import torch

    if ld_alpha is None:
        return per_token.sum(dim=1)
    mask = mask[:, 1:]
    position, lengths = mask.cumsum(dim=1), mask.sum(dim=1).long()
    shared = torch.minimum(*lengths.chunk(2)).repeat(2)[:, None]
    head = ((position > 0) & (position <= shared)) * per_token
    tail = (position > shared) * per_token
    return head.sum(dim=1) + ld_alpha * tail.sum(dim=1)

"""Why the policy is not its reference before the first step, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..speed.log_ratio import response_log_probs, sum_log_probs

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

SHOWN = 3


def diagnose(
    trainer: "DPOTrainer",
    batch: dict[str, Any],
    per_token: "torch.Tensor",
    stored: "torch.Tensor",
    allowed: "torch.Tensor",
) -> str:
    """Return what is wrong and what to do. Called once it is known that something is, so that passes may be spent.

    Args:
        trainer: Ready to train.
        batch: Collated, on the device.
        per_token: The policy's log-probabilities on it, (2 x pairs, tokens - 1), 0 where nothing is scored.
        stored: The reference's, summed, (2 x pairs).
        allowed: What rounding explains, (2 x pairs).
    """
    import torch

    if not bool(per_token.isfinite().all()):
        return "the policy's log-probabilities are not finite: its weights are damaged, or too large for their type"
    again = response_log_probs(trainer, batch)
    if bool(((again - per_token).sum(1).abs() > allowed).any()):
        return f"two passes over the same tokens differ: {_dropout(trainer)}"
    fresh = torch.cat(trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, batch))
    policy = sum_log_probs(per_token, batch["completion_mask"], trainer.ld_alpha)
    if bool(((fresh - policy).abs() > allowed).any()):
        return _other_weights(trainer)
    return (
        "the model itself is in order, so the stored reference is of another time: it was made with "
        f"{_made_with(trainer, batch, per_token, stored, allowed)}; throw the reference cache away"
    )


def _dropout(trainer: "DPOTrainer") -> str:
    on = [
        f"{name} {module.p:g}"
        for name, module in trainer.model.named_modules()
        if "Dropout" in type(module).__name__ and module.p > 0 and module.training
    ]
    config = trainer.model.config.get_text_config().to_dict()
    on += [f"{name} {value:g} in config.json" for name, value in config.items() if "dropout" in name and value]
    if on:
        return f"dropout is on ({_some(on)}); set it to 0, for the reference has none"
    return "something in the model is random (dropout, or a layer that samples), and the reference is not"


def _other_weights(trainer: "DPOTrainer") -> str:
    from peft.utils import ModulesToSaveWrapper

    model = trainer.model
    if trainer.ref_model is not None:
        return "the reference model has other weights than the policy starts from; load both from the same folder"
    if "ref" in getattr(model, "peft_config", {}):
        return "the adapter that is trained on is not the one kept as reference; load both from the same folder"
    moved = list(_not_neutral(model))
    if moved:
        return (
            f"the new adapter is not neutral: {len(moved)} of its matrices that should start at 0 do not "
            f"({_some(moved)}); start from a fresh adapter, or name the trained one as base_adapter"
        )
    copied = [name for name, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper)]
    where = f" (trained copies: {_some(copied)})" if copied else ""
    return f"with its adapter switched off the model says something else than with it on{where}: PEFT changed the base"


def _not_neutral(model: Any) -> Iterator[str]:
    for name, parameter in model.named_parameters():
        if (".lora_B." in name or ".lora_embedding_B." in name) and bool(parameter.any()):
            yield name.replace("base_model.model.", "")


def _made_with(
    trainer: "DPOTrainer",
    batch: dict[str, Any],
    per_token: "torch.Tensor",
    stored: "torch.Tensor",
    allowed: "torch.Tensor",
) -> str:
    mask, longest = batch["completion_mask"], trainer.args.max_length
    alpha = _ld_alpha(per_token, mask, stored, allowed)
    if alpha is not None:
        return "no ld_alpha" if alpha > 1 - 1e-2 else f"ld_alpha {alpha:.2g}"
    shorter = _max_length(per_token, stored, allowed)
    if shorter is not None:
        return f"max_length {shorter}, not {longest}"
    off = (sum_log_probs(per_token, mask, trainer.ld_alpha) - stored).abs() > allowed
    full = batch["attention_mask"].sum(1) == longest
    if bool((off <= full).all()) and bool((stored < per_token.sum(1))[off].all()):
        return f"a larger max_length than {longest}"
    return "another base model, type or quantisation"


def _ld_alpha(
    per_token: "torch.Tensor", mask: "torch.Tensor", stored: "torch.Tensor", allowed: "torch.Tensor"
) -> float | None:
    """Return the one ld_alpha that explains every response, None if none does."""
    head = sum_log_probs(per_token, mask, 0.0)
    tail = per_token.sum(1) - head
    longer = tail.abs() > allowed
    if not bool(longer.any()):
        return None
    alpha = float(((stored - head)[longer] / tail[longer]).median())
    explained = (head + alpha * tail - stored).abs() <= allowed
    return alpha if -1e-2 <= alpha <= 1 + 1e-2 and bool(explained.all()) else None


def _max_length(per_token: "torch.Tensor", stored: "torch.Tensor", allowed: "torch.Tensor") -> int | None:
    """Return the one smaller max_length that explains every response, the best of them; None if none does."""
    errors = (per_token.cumsum(1) - stored[:, None]).abs()  # column i is a sequence cut after i + 2 tokens
    explains = (errors <= allowed[:, None]).all(0)
    if not bool(explains.any()):
        return None
    return int(errors.sum(0).masked_fill(~explains, float("inf")).argmin()) + 2


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

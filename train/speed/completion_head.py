"""Log-probabilities of response tokens on a CPU, without the waste of TRL's portable path.

Without Triton, TRL 1.16 projects every position onto the vocabulary, prompt and padding too, and multiplies in float32
on the way back. This scores only the response tokens and keeps the products in the weights' own type.
docs/decisions/training-on-cpu.md has the measurements; a contract test holds it to TRL's numbers.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .shared_prompt import scored_together
from .side_by_side import Lanes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TILE = 256
"""Tokens projected at once: TILE x vocabulary float32 logits are the most that is ever held."""
PLAIN_TEXT = {"input_ids", "attention_mask", "use_cache"}
"""What TRL passes with a batch of text alone."""
SCALED = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
    "output_router_logits",
)
"""What makes log-probabilities more than `hidden @ weight.T`; models whose config has one keep TRL's path."""


def has_plain_head(model: "PreTrainedModel") -> bool:
    """Whether the model's logits are the hidden states times the head's weights, and nothing else."""
    config = model.config.get_text_config().to_dict()
    return model.get_output_embeddings().bias is None and all(config.get(name) is None for name in SCALED)


def score_responses_only(model: "PreTrainedModel", *, lanes: Lanes | None = None) -> None:
    """Replace what `model(..., labels=labels, fused_lm_head=True)` computes, once TRL has added that call.

    The result has TRL's fields for DPO (log_probs, entropy, mean_logits, is_top1), each of shape
    (sequences, tokens - 1) and zero where the label is -100. With `lanes`, a prompt is encoded once for both its
    answers and pairs side by side, where the model is asked no more than its text.
    """
    from trl.trainer.utils import FusedCausalLMOutput

    trl_forward, head = model.forward, response_head(model)

    def forward(*args: Any, fused_lm_head: bool = False, labels: Any = None, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return trl_forward(*args, labels=labels, **kwargs)
        scored = labels[:, 1:] != -100
        given = {name for name, value in kwargs.items() if value is not None} - {"return_dict"}  # PEFT passes Nones
        if lanes and not args and given == PLAIN_TEXT:
            rows = (kwargs["input_ids"], kwargs["attention_mask"], labels)
            trained = [weight for weight in model.parameters() if weight.requires_grad]
            values = scored_together(model.base_model, head, rows, lanes, trained)
        else:
            hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1][scored]
            values = list(head(hidden, labels[:, 1:][scored]))
        spread = [value.new_zeros(scored.shape).masked_scatter(scored, value) for value in values]
        names = ("log_probs", "entropy", "mean_logits", "is_top1")
        loss = -values[0].sum() / scored.sum().clamp(min=1)
        return FusedCausalLMOutput(loss=loss, label_mask=scored, **dict(zip(names, spread, strict=True)))

    forward.each_alone = lanes is not None  # type: ignore[attr-defined]
    model.forward = forward


def response_head(model: "PreTrainedModel") -> "Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...]]":
    """Return what a plain head says of hidden states (N, H) and the tokens they are to predict (N).

    It returns log-probabilities, entropies, mean logits and whether the token is the likeliest, each (N).
    """
    import torch

    score = _scorer()

    def head(hidden: "torch.Tensor", targets: "torch.Tensor") -> Any:
        weight = model.get_output_embeddings().weight
        if torch.is_autocast_enabled("cpu"):
            weight = weight.to(torch.get_autocast_dtype("cpu"))  # where all weights are trained they are float32
        return score(hidden.to(weight.dtype), weight, targets)

    return head


def encodes_each_alone(model: "PreTrainedModel") -> bool:
    """Whether what a pair's tokens score depends on nothing but the pair, whatever is in the batch beside it."""
    return getattr(model.forward, "each_alone", False)


def _scorer() -> Any:
    """Build the autograd function here, so that importing this module does not import torch."""
    import torch

    class Score(torch.autograd.Function):
        """Hidden (N, H), weight (V, H), targets (N) -> log-probability, entropy, mean logit, is top 1."""

        @staticmethod
        def forward(ctx: Any, hidden: "torch.Tensor", weight: "torch.Tensor", targets: "torch.Tensor") -> Any:
            tiles = [
                _statistics(logits, target)
                for logits, target in zip(_logits(hidden, weight), targets.split(TILE), strict=True)
            ]
            log_z, *values = (torch.cat(column) for column in zip(*tiles, strict=True))
            ctx.save_for_backward(hidden, weight, targets, log_z)
            ctx.mark_non_differentiable(*values[1:])
            return tuple(values)

        @staticmethod
        def backward(ctx: Any, grad: "torch.Tensor", *_: Any) -> Any:
            """By the logits, log p(target) has the derivative [target] - p. Logits are computed again, not kept."""
            hidden, weight, targets, log_z = ctx.saved_tensors
            parts = (targets.split(TILE), log_z.split(TILE), grad.split(TILE))
            grads, weight_grad = [], torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
            for tile, logits, target, z, g in zip(hidden.split(TILE), _logits(hidden, weight), *parts, strict=True):
                towards = logits.sub_(z[:, None]).exp_().mul_(-g[:, None])
                towards.scatter_add_(1, target[:, None], g[:, None])
                towards = towards.to(weight.dtype)
                grads.append(towards @ weight)
                if weight_grad is not None:
                    weight_grad += towards.t() @ tile
            return torch.cat(grads), weight_grad, None

    return Score.apply


def _logits(hidden: "torch.Tensor", weight: "torch.Tensor") -> Any:
    for tile in hidden.split(TILE):
        yield (tile @ weight.t()).float()


def _statistics(logits: "torch.Tensor", targets: "torch.Tensor") -> Any:
    top, best = logits.max(-1)
    mean = logits.mean(-1)
    shifted = logits - top[:, None]
    target = shifted.gather(-1, targets[:, None])[:, 0]
    weights = shifted.exp()
    total = weights.sum(-1)
    expected = weights.mul_(shifted).sum(-1) / total
    return total.log() + top, target - total.log(), total.log() - expected, mean, best == targets

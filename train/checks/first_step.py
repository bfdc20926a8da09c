"""Before the first optimiser step the policy is the reference: every log-ratio is 0 and every loss known in advance.

A run in which that does not hold measures its own mistake as reward: a reference of other weights or of another
truncation, an adapter that was not neutral, dropout. One batch shows it.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..settings import TrainSettings
from ..speed.log_ratio import sum_log_probs, tolerance
from .diagnosis import diagnose

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

log = logging.getLogger(__name__)

LOSS_TOLERANCE = 1e-4
"""Relative; the loss at log-ratios of exactly 0 is no matter of rounding."""
MOST_ROWS = 4

TOKENS = ("prompt_ids", "chosen_ids", "rejected_ids")

AT_ZERO: dict[str, Callable[[float, float], float]] = {
    "sigmoid": lambda beta, smoothing: math.log(2),
    "sigmoid_norm": lambda beta, smoothing: math.log(2),
    "hinge": lambda beta, smoothing: 1.0,
    "ipo": lambda beta, smoothing: (1 / (2 * beta)) ** 2,
    "robust": lambda beta, smoothing: math.log(2),
    "exo_pair": lambda beta, smoothing: -math.log(2) - (math.log(1 - smoothing) + math.log(smoothing)) / 2,
    "nca_pair": lambda beta, smoothing: 2 * math.log(2),
    "bco_pair": lambda beta, smoothing: 2 * math.log(2),
    "sppo_hard": lambda beta, smoothing: 2 * (0.5 / beta) ** 2,
    "aot": lambda beta, smoothing: math.log(2),
    "aot_unpaired": lambda beta, smoothing: math.log(2),
    "apo_zero": lambda beta, smoothing: 1.0,
    "apo_down": lambda beta, smoothing: 1.0,
    "discopop": lambda beta, smoothing: (math.log(2) + 1) / 2,
}
"""Each loss at log-ratios of 0, from the formulas of TRL's paper index, by beta and label_smoothing."""


@dataclass(frozen=True, slots=True)
class FirstStep:
    """What the check saw."""

    pairs: int
    tokens: int
    """Scored, of both sides."""
    log_ratio: float
    """The largest |log policy - log reference| of a response, in natural-log units."""
    tolerance: float
    """What that response was allowed."""
    loss: float
    """At these log-ratios."""
    loss_at_zero: float
    """The trainer's own loss where every log-ratio is exactly 0."""
    expected: float
    """What the formulas say that it is."""


def check_first_step(trainer: "DPOTrainer", settings: TrainSettings, *, compiled: bool = False) -> FirstStep:
    """Check on one batch that the policy equals its reference, and the loss what it must be then.

    Costs one forward pass, has no gradient, draws no random number and leaves no trace in the trainer's metrics. The
    reference is the stored columns, if there are any. Votes are left out: without them the vote trainer computes
    TRL's loss.

    Args:
        trainer: Ready to train.
        settings: Of the training.
        compiled: Whether the policy's layers are, which takes effect with gradients only; the pass then keeps them.

    Raises:
        UserError: they differ by more than rounding explains; the message says what is wrong.
    """
    batch, ids = collate_some(trainer, settings)
    with without_trace(trainer):
        loss, outputs = _forward(trainer, batch, gradients=compiled)
        per_token = _scored(outputs.log_probs, batch)
        policy = sum_log_probs(per_token, batch["completion_mask"], trainer.ld_alpha)
        stored = _stored(trainer, batch)
        lengths = batch["completion_mask"].sum(1)
        allowed = tolerance(trainer, lengths)
        ratios = (policy - stored).abs()
        worst = int((ratios / allowed).nan_to_num(nan=math.inf).argmax())
        if not bool((ratios <= allowed).all()):
            says = diagnose(trainer, batch, per_token, stored, allowed)
            raise UserError(_message(ids, worst, policy, stored, allowed, says))
        at_zero = _at_zero(trainer, batch, outputs, policy)
    found = FirstStep(
        pairs=len(ids),
        tokens=int(lengths.sum()),
        log_ratio=float(ratios[worst]),
        tolerance=float(allowed[worst]),
        loss=loss,
        loss_at_zero=at_zero,
        expected=expected_loss(_as_measured(settings, trainer), _mean_chosen(per_token, batch)),
    )
    _require_loss(found, settings)
    log.info("step 0: policy equals reference to %.3f of %.3f, loss %.4f", found.log_ratio, found.tolerance, found.loss)
    return found


def expected_loss(settings: TrainSettings, sft: float) -> float:
    """Return the loss where every log-ratio is 0; `sft` is the mean -log p of the chosen responses' tokens."""
    weights = settings.loss_weights or (1.0,) * len(settings.loss_type)
    values = (
        sft if name == "sft" else AT_ZERO[name](settings.beta, settings.label_smoothing) for name in settings.loss_type
    )
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def _as_measured(settings: TrainSettings, trainer: "DPOTrainer") -> TrainSettings:
    """Return the settings with the label_smoothing that the votes told, where they were asked."""
    return (
        settings
        if settings.label_smoothing
        else settings.model_copy(update={"label_smoothing": trainer.label_smoothing})
    )


def collate_some(
    trainer: "DPOTrainer", settings: TrainSettings, most: int = MOST_ROWS
) -> tuple[dict[str, Any], list[str]]:
    """Collate a batch of short and long pairs alike, the longest among them: truncation shows there first."""
    rows = trainer.train_dataset
    lengths = [len(p) + len(c) + len(r) for p, c, r in zip(*(rows[name] for name in TOKENS), strict=True)]
    order = sorted(range(len(rows)), key=lambda index: -lengths[index])
    count = min(settings.in_memory, most, len(order))
    picked = [rows[order[number * len(order) // count]] for number in range(count)]
    batch = trainer._prepare_inputs(trainer.data_collator(picked))
    return batch, [row["pair_id"] for row in picked]


@contextmanager
def without_trace(trainer: "DPOTrainer") -> Iterator[None]:
    """Leave gradients off, random states and the trainer's running metrics as they were."""
    import torch

    metrics, seen = trainer._metrics["train"], trainer._total_train_tokens
    trainer._metrics["train"] = defaultdict(list)
    trainer.model.train()  # as the steps will run it: only so does dropout show
    try:
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        trainer._metrics["train"], trainer._total_train_tokens = metrics, seen


def _forward(trainer: "DPOTrainer", batch: dict[str, Any], *, gradients: bool) -> tuple[float, Any]:
    """Return the loss as the first step will compute it, and what the model said on the way."""
    import torch
    from trl.models.utils import disable_gradient_checkpointing

    said: list[Any] = []
    hook = trainer.model.register_forward_hook(lambda module, inputs, output: said.append(output))
    try:
        with (
            torch.set_grad_enabled(gradients),
            disable_gradient_checkpointing(trainer.model, trainer.args.gradient_checkpointing_kwargs),
            trainer.accelerator.autocast(),
        ):
            loss = trainer.compute_loss(trainer.model, batch)
    finally:
        hook.remove()
    policy = said[0]  # it speaks first; a reference that is not stored yet, after it
    policy.log_probs = policy.log_probs.detach()
    return float(loss.detach()), policy


def _at_zero(trainer: "DPOTrainer", batch: dict[str, Any], outputs: Any, policy: "torch.Tensor") -> float:
    """Return the trainer's own loss with the policy's log-probabilities for reference; no further pass."""
    chosen, rejected = policy.chunk(2)
    stored, trainer.precompute_ref_logps = trainer.precompute_ref_logps, True
    try:
        exact = batch | {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
        # What the model said is there already, so what is called in its place only repeats it.
        return float(trainer.compute_loss(lambda **_: outputs, exact))
    finally:
        trainer.precompute_ref_logps = stored


def _stored(trainer: "DPOTrainer", batch: dict[str, Any]) -> "torch.Tensor":
    """Return the reference log-probabilities of the batch, (2 x pairs), chosen first."""
    import torch

    if trainer.precompute_ref_logps:
        return torch.cat([batch["ref_chosen_logps"], batch["ref_rejected_logps"]])
    return torch.cat(trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, batch))


def _scored(per_token: "torch.Tensor", batch: dict[str, Any]) -> "torch.Tensor":
    return per_token[:, -(batch["completion_mask"].shape[1] - 1) :]


def _mean_chosen(per_token: "torch.Tensor", batch: dict[str, Any]) -> float:
    """Return the SFT term: the mean of -log p over the chosen responses' tokens."""
    mask = batch["completion_mask"][:, 1:].bool().chunk(2)[0]
    return -float(per_token.chunk(2)[0][mask].mean())


def _message(
    ids: Sequence[str],
    worst: int,
    policy: "torch.Tensor",
    stored: "torch.Tensor",
    allowed: "torch.Tensor",
    says: str,
) -> str:
    side = "chosen" if worst < len(ids) else "rejected"
    return (
        f"before the first step the policy is not its reference: for the {side} response of pair "
        f"{ids[worst % len(ids)]} the log-probabilities are {float(policy[worst]):.2f} and {float(stored[worst]):.2f}, "
        f"which rounding explains up to {float(allowed[worst]):.2f}; {says}"
    )


def _require_loss(found: FirstStep, settings: TrainSettings) -> None:
    if math.isclose(found.loss_at_zero, found.expected, rel_tol=LOSS_TOLERANCE):
        return
    raise UserError(
        f"where policy and reference agree, {' + '.join(settings.loss_type)} with beta {settings.beta:g} and "
        f"label_smoothing {settings.label_smoothing:g} must be {found.expected:.4f}, but the trainer computes "
        f"{found.loss_at_zero:.4f}; another version of TRL changed the loss: pin trl==1.16.*"
    )

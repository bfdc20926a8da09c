"""DPO's loss where it reads votes: TRL's trainer with the last step of its loss replaced.

With a margin d = beta * (log-ratio of chosen - log-ratio of rejected), a pair of weight w and target p costs

    w * (-p log P(win) - (1 - p) log P(loss)),    a tie    w * -log P(tie),

with P(win) = sigma(d) and P(loss) = sigma(-d), or those of a model that knows ties (`ties.py`). One p for all pairs is
conservative DPO (Mitchell 2023, "A note on DPO with noisy preferences & relationship to IPO"); a p for each pair is the
likelihood of its votes, an equal weight given to each item. TRL 1.16 takes the mean over pairs inside its loss, and its
sigmoid loss reads no label_smoothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .reading import COLUMNS, TARGET, TIED, WEIGHT
from .ties import davidson, rao_kupper
from .vote_settings import VoteSettings

if TYPE_CHECKING:
    from torch import Tensor
    from trl import DPOTrainer


def vote_loss(margin: "Tensor", said: Mapping[str, "Tensor"], votes: VoteSettings) -> "Tensor":
    """Return the loss of each pair.

    Args:
        margin: d, of shape (pairs,).
        said: `COLUMNS`, each of that shape: weights, targets in [0, 1], and whether a row is a tie.
        votes: Of it, the model of ties.
    """
    import torch
    from torch.nn.functional import logsigmoid

    if votes.ties == "drop":
        win, loss = logsigmoid(margin), logsigmoid(-margin)
        return said[WEIGHT] * -(said[TARGET] * win + (1 - said[TARGET]) * loss)
    model = davidson if votes.ties == "davidson" else rao_kupper
    win, tie, loss = model(margin, votes.tie_probability)
    clear = said[TARGET] * win + (1 - said[TARGET]) * loss
    return said[WEIGHT] * -torch.where(said[TIED], tie, clear)


def vote_trainer(votes: VoteSettings) -> type["DPOTrainer"]:
    """Return TRL's trainer, reading votes. It needs a loss of `votes.LOSSES`, and `COLUMNS` in its training rows.

    An SFT term beside that loss is TRL's, but for ties, which have no chosen answer. Only training batches carry votes:
    whatever else is computed with the trainer (the reference, an evaluation) is as TRL computes it. Reward accuracies
    and margins are logged without ties, `rewards/tie_margins` is the mean size of the ties' margins; the other metrics
    are TRL's, of every row.
    """
    from trl import DPOTrainer

    class VoteTrainer(DPOTrainer):
        """TRL's trainer, reading votes."""

        data_collator: Any

        def get_train_dataloader(self) -> Any:
            """Let training rows bring their votes, weights scaled to a mean of 1."""
            weights, collate = self.train_dataset[WEIGHT], self.data_collator
            self.data_collator = _carrying(collate, sum(weights) / len(weights))
            try:
                return super().get_train_dataloader()
            finally:
                self.data_collator = collate

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            self._signature_columns += [name for name in COLUMNS if name not in self._signature_columns]

        def _compute_loss(self, model: Any, inputs: Mapping[str, Any], return_outputs: bool) -> Any:
            said = {name: inputs[name] for name in COLUMNS if name in inputs}
            batch = {name: value for name, value in inputs.items() if name not in said}
            if not said:
                return super()._compute_loss(model, batch, return_outputs)
            with _first_output(model) as seen:
                theirs = super()._compute_loss(model, batch, return_outputs)
            mask = batch["completion_mask"]
            log_probs = seen[0].log_probs[:, 1 - mask.size(1) :]
            chosen, rejected = _log_ratios(self, log_probs, batch)
            loss = 0.0
            for name, weight in zip(self.loss_types, self.loss_weights, strict=True):
                if name == "sft":
                    loss = loss + weight * _mean_loss(log_probs, mask, said[TIED])
                else:
                    margin = self.beta * _delta(chosen, rejected, mask, name)
                    loss = loss + weight * vote_loss(margin, said, votes).mean()
            if self.aux_loss_enabled:
                loss = loss + self.router_aux_loss_coef * seen[0].aux_loss
            if votes.ties != "drop":
                _log_without_ties(self, self.beta * (chosen - rejected).detach(), said[TIED])
            return (loss, theirs[1]) if return_outputs else loss

    return VoteTrainer


def _log_ratios(trainer: "DPOTrainer", log_probs: "Tensor", batch: Mapping[str, "Tensor"]) -> tuple["Tensor", "Tensor"]:
    """Return policy minus reference, summed over tokens, of the first and the second half of the batch."""
    chosen, rejected = log_probs.sum(dim=1).chunk(2, dim=0)
    if trainer.precompute_ref_logps:
        reference = batch["ref_chosen_logps"], batch["ref_rejected_logps"]
    else:
        reference = trainer.compute_ref_log_probs(trainer.model, batch)
    return chosen - reference[0], rejected - reference[1]


def _delta(chosen: "Tensor", rejected: "Tensor", mask: "Tensor", name: str) -> "Tensor":
    if name == "sigmoid":
        return chosen - rejected
    tokens = [side.sum(dim=1).clamp(min=1.0) for side in mask.chunk(2, dim=0)]
    return chosen / tokens[0] - rejected / tokens[1]


def _log_without_ties(trainer: "DPOTrainer", margins: "Tensor", tied: "Tensor") -> None:
    logged = trainer._metrics["train" if trainer.model.training else "eval"]
    for name in ("rewards/accuracies", "rewards/margins"):
        logged[name].pop()  # TRL's own, of all rows
    _log_mean(trainer, logged, "rewards/accuracies", (margins > 0).to(margins.dtype), ~tied)
    _log_mean(trainer, logged, "rewards/margins", margins, ~tied)
    _log_mean(trainer, logged, "rewards/tie_margins", margins.abs(), tied)


def _log_mean(
    trainer: "DPOTrainer", logged: dict[str, list[float]], name: str, values: "Tensor", among: "Tensor"
) -> None:
    import torch

    here = torch.stack([values[among].sum(), among.sum().to(values.dtype)])
    total, count = trainer.accelerator.gather(here[None]).sum(dim=0).tolist()
    if count:
        logged[name].append(total / count)
    elif not logged[name]:
        del logged[name]  # TRL divides by the number of values


def _mean_loss(log_probs: "Tensor", mask: "Tensor", tied: "Tensor") -> "Tensor":
    """Return TRL's SFT term, the mean -log p of the chosen answers' tokens. A tie has no chosen answer."""
    scored = log_probs[: len(tied)][mask[: len(tied), 1:].bool() & ~tied[:, None]]
    return -scored.sum() / max(1, scored.numel())


def _carrying(collate: Callable[..., dict[str, Any]], mean_weight: float) -> Callable[..., dict[str, Any]]:
    """Return a collator that adds what the votes say, each of shape (pairs,), to what `collate` makes."""
    import torch

    def with_votes(examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        read = {name: torch.tensor([row[name] for row in examples]) for name in COLUMNS}
        return collate(examples) | read | {WEIGHT: read[WEIGHT] / mean_weight}

    return with_votes


@contextmanager
def _first_output(model: Any) -> Iterator[list[Any]]:
    """Collect what the model returns; the first is the policy's, a reference pass of the same model may follow."""
    seen: list[Any] = []
    hook = model.register_forward_hook(lambda module, args, output: seen.append(output))
    try:
        yield seen
    finally:
        hook.remove()

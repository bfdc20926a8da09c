"""Log-probabilities of the held-out pairs while a training goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...collect import PreferencePair
from ..rows import Tokens, tokenise
from ..scale.world import join_world
from .held_out_metrics import Scored

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer


@dataclass(frozen=True, slots=True)
class _Row:
    """A held-out pair as it is scored."""

    tokens: Tokens
    cluster: str
    max_length: int

    @property
    def longest(self) -> int:
        return len(self.tokens.prompt) + max(len(self.tokens.chosen), len(self.tokens.rejected))

    def scored_tokens(self, answer: Sequence[int]) -> int:
        return max(1, min(len(answer), self.max_length - len(self.tokens.prompt)))

    def clipped(self, answer: Sequence[int]) -> bool:
        return len(self.tokens.prompt) + len(answer) > self.max_length


class HeldOutScores:
    """Scores the held-out pairs under the model as it is; made before the first step, when that is the reference.

    Reference and policy are scored in the same batches, so that bfloat16 rounds both alike and a log-ratio holds what
    the training did rather than what padding did: with the cached reference, whose batches are others, an answer's
    log-ratio would start half a nat off zero. Under several processes each scores its share of the batches.
    """

    def __init__(
        self,
        trainer: "DPOTrainer",
        pairs: Sequence[PreferencePair],
        clusters: dict[str, str],
        tokenizer: "PreTrainedTokenizerBase",
        *,
        batch_size: int,
        max_length: int,
    ) -> None:
        self._trainer, self._world = trainer, join_world()
        tokens = [(tokenise(pair, tokenizer), clusters[pair.prompt_id]) for pair in pairs]
        rows = [_Row(found, cluster, max_length) for found, cluster in tokens if len(found.prompt) < max_length]
        self._rows = sorted(rows, key=lambda row: (-row.longest, row.tokens.pair_id))
        self._batch_size = batch_size
        self._reference = self._log_probs()

    def __len__(self) -> int:
        return len(self._rows)

    def score(self) -> list[Scored]:
        """Score every pair under the model as it is now."""
        return [
            Scored(
                cluster=row.cluster,
                chosen=now[0],
                rejected=now[1],
                reference_chosen=before[0],
                reference_rejected=before[1],
                chosen_tokens=row.scored_tokens(row.tokens.chosen),
                rejected_tokens=row.scored_tokens(row.tokens.rejected),
                clipped=(row.clipped(row.tokens.chosen) + row.clipped(row.tokens.rejected)) / 2,
            )
            for row, now, before in zip(self._rows, self._log_probs(), self._reference, strict=True)
        ]

    def _log_probs(self) -> list[tuple[float, float]]:
        """Return the summed log-probabilities of chosen and rejected for every row."""
        starts = list(range(0, len(self._rows), self._batch_size))
        found: list[tuple[int, float, float]] = []
        # Sharded models need every process in every forward pass: the last batch is repeated where there are too few.
        for turn in range(-(-len(starts) // self._world.size)):
            start = starts[min(turn * self._world.size + self._world.rank, len(starts) - 1)]
            chosen, rejected = self._batch(self._rows[start : start + self._batch_size])
            found += zip(range(start, start + len(chosen)), chosen.tolist(), rejected.tolist(), strict=True)
        by_row = {index: (chosen, rejected) for part in self._world.gather(found) for index, chosen, rejected in part}
        return [by_row[index] for index in range(len(self._rows))]

    def _batch(self, rows: Sequence[_Row]) -> tuple["Tensor", "Tensor"]:
        """Score rows as TRL's loss does, without the gradient. Not in eval mode: it spoils 4-bit weights on a CPU."""
        import torch
        from trl.models.utils import disable_gradient_checkpointing

        trainer = self._trainer
        batch = trainer.data_collator([_columns(row.tokens) for row in rows])
        batch = {name: tensor.to(trainer.accelerator.device) for name, tensor in batch.items()}
        labels = batch["input_ids"].masked_fill(batch.pop("completion_mask") == 0, -100)
        without = disable_gradient_checkpointing(trainer.model, trainer.args.gradient_checkpointing_kwargs)
        trainer.model.train()
        with torch.no_grad(), without, trainer.accelerator.autocast():
            log_probs = trainer.model_wrapped(**batch, labels=labels, use_cache=False, fused_lm_head=True).log_probs
        chosen, rejected = log_probs.float().sum(dim=1).chunk(2)
        return chosen, rejected


def _columns(tokens: Tokens) -> dict[str, Any]:
    return {"prompt_ids": tokens.prompt, "chosen_ids": tokens.chosen, "rejected_ids": tokens.rejected}

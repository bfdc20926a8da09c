"""How likely a model finds the chosen and the rejected answer of a pair.

Tokenised as in training (`train/rows.py`): what comes after the prefix that prompt, chosen and rejected share is
scored, the end-of-turn tokens included. On a CPU pairs are encoded as training encodes them, their prompt once, each by
itself and several side by side; elsewhere, and for models that can't be asked so, in padded batches.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..collect.sampling.generate import batches, left_padded, pad_id
from ..train.policy import without_wrapping
from ..train.rows import Tokens
from ..train.speed.completion_head import has_plain_head, response_head
from ..train.speed.shared_prompt import scored_together, sees_everything
from ..train.speed.side_by_side import Lanes

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Row = tuple[list[int], list[int]]
"""A prompt's tokens and an answer's."""
UNSCORED = -100
"""The label of tokens that no loss counts."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer under one model."""

    logp: float
    """The summed log-probability of the answer's tokens given the prompt, in nats."""
    tokens: int

    @property
    def mean(self) -> float:
        """The log-probability per token."""
        return self.logp / self.tokens


@dataclass(frozen=True, slots=True)
class PairScore:
    """Both answers of a pair under one model."""

    chosen: Scored
    rejected: Scored


def longest(pair: Tokens) -> int:
    """Return the tokens of the pair's longer conversation."""
    return len(pair.prompt) + max(len(pair.chosen), len(pair.rejected))


def score_pairs(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Sequence[Tokens],
    *,
    batch_size: int,
    done: Collection[int] = (),
) -> Iterator[dict[int, PairScore]]:
    """Score pairs batch by batch, leaving out the batches that `done` (indices into `pairs`) covers.

    As in generation the batches depend on all the pairs, so that a resumed scoring equals an uninterrupted one.

    Yields:
        Scores by index into `pairs`.
    """
    score = _side_by_side if _can_stand_alone(model) else _padded
    lanes = Lanes(batch_size)
    for batch in batches([longest(pair) for pair in pairs], max(1, batch_size // 2)):
        if all(index in done for index in batch):
            continue
        asked = [pairs[index] for index in batch]
        rows = [(pair.prompt, pair.chosen) for pair in asked] + [(pair.prompt, pair.rejected) for pair in asked]
        scored = score(model, tokenizer, rows, lanes)
        half = len(batch)
        yield dict(zip(batch, map(PairScore, scored[:half], scored[half:]), strict=True))


def _can_stand_alone(model: "PreTrainedModel") -> bool:
    policy = without_wrapping(model)
    return model.device.type == "cpu" and has_plain_head(policy) and sees_everything(policy)


def _side_by_side(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Row], lanes: Lanes
) -> list[Scored]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(columns: Iterator[list[int]], value: int) -> "Tensor":
        return pad_sequence([torch.tensor(column) for column in columns], batch_first=True, padding_value=value)

    policy = without_wrapping(model)
    ids = padded((prompt + answer for prompt, answer in rows), pad_id(tokenizer))
    mask = padded(([1] * len(prompt + answer) for prompt, answer in rows), 0)
    labels = padded(([UNSCORED] * len(prompt) + answer for prompt, answer in rows), UNSCORED)
    # An adapter's products in float32, as it is kept while training, would cost more than all others.
    mixed = policy.dtype == torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        log_probs = scored_together(policy.base_model, response_head(policy), (ids, mask, labels), lanes, [])[0]
    counts = [len(answer) for _, answer in rows]
    return [Scored(float(row.sum()), count) for row, count in zip(log_probs.split(counts), counts, strict=True)]


def _padded(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Row], lanes: Lanes
) -> list[Scored]:
    import torch

    inputs = left_padded([prompt + answer for prompt, answer in rows], pad_id(tokenizer), model.device)
    # Padded on the left every answer ends in the last column, so only that many positions need the vocabulary.
    kept = max(len(answer) for _, answer in rows) + 1
    with torch.inference_mode():
        logits = model(**inputs, logits_to_keep=kept, use_cache=False).logits
    return [_sum(row, answer) for row, (_, answer) in zip(logits, rows, strict=True)]


def _sum(logits: "Tensor", answer: Sequence[int]) -> Scored:
    """Add up one answer from `logits` (kept, vocabulary)."""
    import torch

    wanted = torch.tensor(answer, device=logits.device)
    # A token is predicted one position earlier. The sum over 49,152 words needs fp32.
    before = logits[-len(answer) - 1 : -1].float()
    picked = before.gather(1, wanted[:, None])[:, 0] - before.logsumexp(1)
    return Scored(float(picked.sum()), len(answer))

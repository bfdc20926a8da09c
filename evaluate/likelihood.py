"""How likely a model finds the chosen and the rejected answer of a pair.

Tokenised as in training (`train/rows.py`): what comes after the prefix that prompt, chosen and rejected share is
scored, the end-of-turn tokens included.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..collect.sampling.generate import batches, left_padded, pad_id
from ..train.rows import Tokens

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    for batch in batches([longest(pair) for pair in pairs], max(1, batch_size // 2)):
        if all(index in done for index in batch):
            continue
        rows = [
            (pairs[index].prompt, answer) for index in batch for answer in (pairs[index].chosen, pairs[index].rejected)
        ]
        scored = _score(model, tokenizer, rows)
        yield dict(zip(batch, map(PairScore, scored[0::2], scored[1::2]), strict=True))


def _score(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[tuple[list[int], list[int]]],
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

"""How likely a model finds the chosen and the rejected answer of a pair.

Tokenised as TRL's DPO trainer does: the whole conversation goes through the chat template, and what comes after the
prefix that prompt, chosen and rejected share is scored, the end-of-turn tokens included.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..collect.generate import batches, left_padded, pad_id, prompt_ids
from ..collect.pair import PreferencePair

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


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A pair as the model reads it."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]

    @property
    def longest(self) -> int:
        """Tokens of the longer conversation."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


def tokenize_pair(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair) -> TokenPair:
    """Split a pair into the shared prompt and the two scored answers, as TRL's `DPOTrainer` does."""
    prompt = prompt_ids(tokenizer, pair.prompt)
    chosen, rejected = (_conversation_ids(tokenizer, pair, answer) for answer in (pair.chosen, pair.rejected))
    shared = min(_common(prompt, chosen), _common(prompt, rejected))
    return TokenPair(tuple(prompt[:shared]), tuple(chosen[shared:]), tuple(rejected[shared:]))


def score_pairs(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Sequence[TokenPair],
    *,
    batch_size: int,
    done: Collection[int] = (),
) -> Iterator[dict[int, PairScore]]:
    """Score pairs batch by batch, leaving out the batches that `done` (indices into `pairs`) covers.

    As in generation the batches depend on all the pairs, so that a resumed scoring equals an uninterrupted one.

    Yields:
        Scores by index into `pairs`.
    """
    for batch in batches([pair.longest for pair in pairs], max(1, batch_size // 2)):
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
    rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> list[Scored]:
    import torch

    inputs = left_padded([prompt + answer for prompt, answer in rows], pad_id(tokenizer), model.device)
    # Padded on the left every answer ends in the last column, so only that many positions need the vocabulary.
    kept = max(len(answer) for _, answer in rows) + 1
    with torch.inference_mode():
        logits = model(**inputs, logits_to_keep=kept, use_cache=False).logits
    return [_sum(row, answer) for row, (_, answer) in zip(logits, rows, strict=True)]


def _sum(logits: "Tensor", answer: tuple[int, ...]) -> Scored:
    """Add up one answer from `logits` (kept, vocabulary)."""
    import torch

    wanted = torch.tensor(answer, device=logits.device)
    # A token is predicted one position earlier. The sum over 49,152 words needs fp32.
    before = logits[-len(answer) - 1 : -1].float()
    picked = before.gather(1, wanted[:, None])[:, 0] - before.logsumexp(1)
    return Scored(float(picked.sum()), len(answer))


def _conversation_ids(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair, answer: str) -> list[int]:
    rows = [{"role": message.role, "content": message.content} for message in pair.prompt]
    rows.append({"role": "assistant", "content": answer})
    return list(tokenizer.apply_chat_template(rows, return_dict=True)["input_ids"])


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )

"""How far one model's log-probabilities are from another's, token by token, on the answers of real pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..rows import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Delta:
    """The distance of two models on the same answers, in natural-log units."""

    mean: float
    """The mean absolute difference of a token's log-probability, over all tokens of all answers."""
    worst: float
    """The same over the answer on which it is largest."""
    tokens: int
    """Tokens compared."""


def token_logps(model: "PreTrainedModel", pairs: Sequence[Tokens]) -> list[list[float]]:
    """Return the log-probability of every answer token given what stands before it: two rows a pair, chosen first.

    Each answer is a batch of its own: padding would add rounding to what is compared.
    """
    import torch

    rows = []
    for pair in pairs:
        for answer in (pair.chosen, pair.rejected):
            ids = torch.tensor([pair.prompt + answer], device=model.device)
            with torch.inference_mode():
                logits = model(input_ids=ids, logits_to_keep=len(answer) + 1, use_cache=False).logits[0, :-1].float()
            picked = logits.gather(1, ids[0, -len(answer) :, None])[:, 0] - logits.logsumexp(1)
            rows.append(picked.tolist())
    return rows


def distance(expected: Sequence[Sequence[float]], found: Sequence[Sequence[float]]) -> Delta:
    """Return how far `found` is from `expected`, answer by answer in the same order.

    A log-probability that is no number is infinitely far.
    """
    apart = [
        [_apart(one, other) for one, other in zip(first, second, strict=True)]
        for first, second in zip(expected, found, strict=True)
    ]
    tokens = sum(map(len, apart))
    worst = max(sum(row) / len(row) for row in apart)
    return Delta(round(sum(map(sum, apart)) / tokens, 6), round(worst, 6), tokens)


def _apart(one: float, other: float) -> float:
    gap = abs(one - other)
    return gap if gap == gap else float("inf")

"""Response tokens scored with each prompt encoded once for both its answers, and without padding.

TRL encodes prompt + chosen and prompt + rejected as two rows. Where row i and row i + n of its batch begin alike, one
sequence [prompt | chosen | rejected] says the same: both answers get the positions that follow the prompt, and no token
of the second sees one of the first. Each sequence is encoded alone, several side by side, so that what a pair's tokens
score depends on nothing but the pair. What comes out is exact up to the order of sums
(docs/decisions/training-on-cpu.md); a contract test holds it to TRL's two rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .side_by_side import Lanes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SQUARE = 2000
"""Tokens at which attention, which grows with the square of the length, costs as much as all linear layers."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of TRL's batch."""

    ids: list[int]
    """Without padding."""
    prompt: int
    """Tokens before the first that is scored."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What is encoded as one: a prompt and one answer, or two."""

    rows: tuple[int, ...]
    prompt: int
    answers: tuple[int, ...]
    """Tokens of each."""

    @property
    def length(self) -> int:
        return self.prompt + sum(self.answers)


def sees_everything(policy: "PreTrainedModel") -> bool:
    """Whether every layer attends to all that stands before: a mask of ours would widen a window."""
    config = policy.config.get_text_config().to_dict()
    kinds = config.get("layer_types") or ["sliding_attention" if config.get("sliding_window") else "full_attention"]
    return set(kinds) == {"full_attention"}


def scored_together(
    body: Any,
    head: "Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...]]",
    rows: "tuple[torch.Tensor, torch.Tensor, torch.Tensor]",
    lanes: Lanes,
    weights: "Sequence[torch.Tensor]",
) -> "list[torch.Tensor]":
    """Return what the head says of the N labels, row by row as they stand: each of its values, of shape (N,).

    Args:
        body: The model without its head.
        head: From hidden states (n, H) and the tokens they are to predict (n) to values (n), log-probabilities first.
        rows: input_ids (rows, tokens), padded on the right; attention_mask of that shape, 1 where there is a token;
            labels of that shape, -100 up to the first response token and in the padding.
        lanes: To encode in, the longest first.
        weights: What is trained of body and head.

    Raises:
        ValueError: labels do not run from one token, not the first, to the end of its row.
    """
    import torch

    texts = _rows(*rows)
    sequences = sorted(_sequences(texts), key=lambda sequence: -sequence.length)

    def score(sequence: _Sequence) -> "tuple[torch.Tensor, ...]":
        hidden, ids = _encode(body, texts, sequence)
        places = [place for answer in _predicting(sequence) for place in answer]
        return head(hidden[[at for at, _ in places]], ids[[predicted for _, predicted in places]])

    found = lanes.run([partial(score, sequence) for sequence in sequences], weights)
    by_row: dict[int, list[torch.Tensor]] = {}
    for sequence, values in zip(sequences, found, strict=True):
        split = [value.split(sequence.answers) for value in values]
        by_row |= {row: [value[number] for value in split] for number, row in enumerate(sequence.rows)}
    return [torch.cat(column) for column in zip(*(by_row[row] for row in range(len(texts))), strict=True)]


def _encoding(tokens: int) -> float:
    return tokens * (1 + tokens / SQUARE)


def _rows(input_ids: "torch.Tensor", attention_mask: "torch.Tensor", labels: "torch.Tensor") -> list[_Row]:
    scored = labels != -100
    lengths, counts = attention_mask.sum(1).tolist(), scored.sum(1).tolist()
    starts = [length - count for length, count in zip(lengths, counts, strict=True)]
    spans = list(zip(starts, lengths, strict=True))
    if any(start < 1 or not scored[i, start:length].all() for i, (start, length) in enumerate(spans)):
        raise ValueError("labels do not run from one token, not the first, to the end of its row")
    return [_Row(ids[:length], start) for ids, length, start in zip(input_ids.tolist(), lengths, starts, strict=True)]


def _sequences(rows: Sequence[_Row]) -> list[_Sequence]:
    half, odd = divmod(len(rows), 2)
    if odd:
        return [_alone(rows, i) for i in range(len(rows))]
    found = []
    for i in range(half):
        one, two = _alone(rows, i), _alone(rows, i + half)
        together = _Sequence((i, i + half), one.prompt, one.answers + two.answers)
        alike = one.prompt == two.prompt and rows[i].ids[: one.prompt] == rows[i + half].ids[: two.prompt]
        cheaper = _encoding(together.length) < _encoding(one.length) + _encoding(two.length)
        found += [together] if alike and cheaper else [one, two]
    return found


def _alone(rows: Sequence[_Row], number: int) -> _Sequence:
    row = rows[number]
    return _Sequence((number,), row.prompt, (len(row.ids) - row.prompt,))


def _predicting(sequence: _Sequence) -> list[list[tuple[int, int]]]:
    """Return, by answer, the place of each token's prediction, the prompt's end or the token before, and its own."""
    found, start = [], sequence.prompt
    for count in sequence.answers:
        found.append([(at - 1 if at > start else sequence.prompt - 1, at) for at in range(start, start + count)])
        start += count
    return found


def _encode(body: Any, rows: Sequence[_Row], sequence: _Sequence) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the hidden states (tokens, H) of a sequence, and its tokens."""
    import torch

    first = rows[sequence.rows[0]]
    tokens, positions, branches = first.ids[: first.prompt], list(range(first.prompt)), [0] * first.prompt
    for answer, (row, count) in enumerate(zip(sequence.rows, sequence.answers, strict=True), 1):
        tokens, branches = tokens + rows[row].ids[first.prompt :], branches + [answer] * count
        positions += range(first.prompt, first.prompt + count)
    weight = body.get_input_embeddings().weight
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
    ids = torch.tensor([tokens])
    mask = attention_bias(torch.tensor([branches]), dtype)
    placed = {"input_ids": ids, "position_ids": torch.tensor([positions]), "attention_mask": mask}
    return body(**placed, use_cache=False).last_hidden_state[0], ids[0]


def attention_bias(branches: "torch.Tensor", dtype: "torch.dtype") -> "torch.Tensor":
    """Return what is added to attention scores, (sequences, 1, tokens, tokens): 0 where a token sees another.

    It sees those before it that are in its own branch or in the prompt.
    """
    import torch

    tokens = torch.arange(branches.shape[1])
    earlier = tokens[:, None] >= tokens[None, :]
    related = (branches[:, :, None] == branches[:, None, :]) | (branches[:, None, :] == 0)
    hidden = ~(earlier & related)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, torch.finfo(dtype).min)[:, None]

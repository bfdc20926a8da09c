"""Hidden states of response tokens, each prompt encoded once for both its answers, next to no padding on the way.

TRL encodes prompt + chosen and prompt + rejected as two rows. Where row i and row i + n of its batch begin alike, one
sequence [prompt | chosen | rejected] says the same: both answers get the positions that follow the prompt, and no token
of the second sees one of the first. The sequences are sorted by length and encoded in chunks of like length. What comes
out is exact up to the order of sums (docs/decisions/training-on-cpu.md); a contract test holds it to TRL's two rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHUNK_COST = 100
"""What a chunk of its own costs beside its tokens, in tokens: the calls of all layers."""
SQUARE = 2000
"""Tokens at which attention, which grows with the square of the length, costs as much as all linear layers."""
PADDING = 3
"""The branch that pad tokens are in; 0 is the prompt, 1 and 2 are the answers."""


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


def scored_states(body: Any, input_ids: "torch.Tensor", attention_mask: "torch.Tensor", labels: "torch.Tensor") -> Any:
    """Return the hidden states (N, H) from which the N labels are predicted, row by row as the labels stand.

    Args:
        body: The model without its head.
        input_ids: (rows, tokens), padded on the right.
        attention_mask: (rows, tokens), 1 where there is a token.
        labels: (rows, tokens), -100 up to the first response token and in the padding.

    Raises:
        ValueError: labels do not run from one token, not the first, to the end of its row.
    """
    import torch

    rows = _rows(input_ids, attention_mask, labels)
    states: list[torch.Tensor] = []
    places: dict[int, tuple[int, int]] = {}
    first = 0
    for chunk in chunks(_sequences(rows)):
        hidden = _encode(body, rows, chunk)
        predicting: list[tuple[int, int]] = []
        for number, sequence in enumerate(chunk):
            for row, positions in zip(sequence.rows, _predicting(sequence), strict=True):
                places[row] = first + len(predicting), len(positions)
                predicting += [(number, position) for position in positions]
        where = torch.tensor(predicting, device=hidden.device).reshape(-1, 2)
        states.append(hidden[where[:, 0], where[:, 1]])
        first += len(predicting)
    order = [start + n for row in range(len(rows)) for start, count in [places[row]] for n in range(count)]
    return torch.cat(states)[torch.tensor(order, dtype=torch.long, device=labels.device)]


def chunks(sequences: Sequence[_Sequence]) -> list[list[_Sequence]]:
    """Split sequences, sorted by length, where padding would cost more than a chunk of its own.

    No chunk but that of a lone sequence has one row: compiled layers would be compiled again for it.
    """
    ordered = sorted(sequences, key=lambda sequence: (sequence.length, sequence.rows))
    least = min(2, len(ordered))
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(ordered) + 1):
        starts = [start for start in range(end - least + 1) if start == 0 or start >= least]
        costs = [(best[start][0] + _cost(ordered[start:end]), start) for start in starts]
        best.append(min(costs, default=(float("inf"), 0)))
    found, end = [], len(ordered)
    while end:
        start = best[end][1]
        found.append(ordered[start:end])
        end = start
    return found[::-1]


def _cost(chunk: Sequence[_Sequence]) -> float:
    longest = chunk[-1].length
    return CHUNK_COST + len(chunk) * _encoding(longest)


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


def _predicting(sequence: _Sequence) -> list[list[int]]:
    """Return, by answer, the positions whose states predict its tokens: the prompt's last, then its own."""
    found, start = [], sequence.prompt
    for count in sequence.answers:
        found.append(([sequence.prompt - 1] if count else []) + list(range(start, start + count - 1)))
        start += count
    return found


def _encode(body: Any, rows: Sequence[_Row], chunk: Sequence[_Sequence]) -> "torch.Tensor":
    """Return the hidden states (sequences, tokens, H) of a chunk."""
    import torch

    weight = body.get_input_embeddings().weight
    longest = chunk[-1].length
    ids, positions, branches = (torch.full((len(chunk), longest), fill) for fill in (0, 0, PADDING))
    for number, sequence in enumerate(chunk):
        first = rows[sequence.rows[0]]
        tokens, where, branch = first.ids[: first.prompt], list(range(first.prompt)), [0] * first.prompt
        for answer, (row, count) in enumerate(zip(sequence.rows, sequence.answers, strict=True), 1):
            tokens, branch = tokens + rows[row].ids[first.prompt :], branch + [answer] * count
            where += range(first.prompt, first.prompt + count)
        for tensor, values in ((ids, tokens), (positions, where), (branches, branch)):
            tensor[number, : sequence.length] = torch.tensor(values)
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
    mask = attention_bias(branches, dtype).to(weight.device)
    placed = {"input_ids": ids.to(weight.device), "position_ids": positions.to(weight.device)}
    return body(**placed, attention_mask=mask, use_cache=False).last_hidden_state


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

"""The first pair token by token: what the model reads, what is scored, and what max_length cuts off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...collect import PreferencePair
from ..settings import TrainSettings
from .findings import Row, is_renderable, row_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Fate = Literal["read", "scored", "cut"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the preview."""

    id: int
    text: str
    """What it adds to the text; empty where a letter takes several tokens, but at the last of them."""
    fate: Fate


@dataclass(frozen=True, slots=True)
class Preview:
    """A pair as the training sees it."""

    pair_id: str
    prompt: tuple[Token, ...]
    """What both responses share."""
    chosen: tuple[Token, ...]
    rejected: tuple[Token, ...]


def preview(
    pairs: Sequence[PreferencePair], settings: TrainSettings, tokenizer: "PreTrainedTokenizerBase"
) -> Preview | None:
    """Return the first pair that is trained on, None if there is none."""
    for pair in pairs:
        if not is_renderable(pair):
            continue
        row = row_of(pair, tokenizer, settings.max_length)
        if len(row.tokens.prompt) < settings.max_length:
            return _preview(row, tokenizer)
    return None


def _preview(row: Row, tokenizer: "PreTrainedTokenizerBase") -> Preview:
    def side(ids: Sequence[int], kept: int) -> tuple[Token, ...]:
        pieces = enumerate(zip(ids, _texts(ids, tokenizer), strict=True))
        return tuple(Token(id, text, "scored" if place < kept else "cut") for place, (id, text) in pieces)

    prompt = row.tokens.prompt
    return Preview(
        pair_id=row.pair.id,
        prompt=tuple(Token(id, text, "read") for id, text in zip(prompt, _texts(prompt, tokenizer), strict=True)),
        chosen=side(row.tokens.chosen, len(row.chosen)),
        rejected=side(row.tokens.rejected, len(row.rejected)),
    )


def _texts(ids: Sequence[int], tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """Return what each token adds to the text, so that the pieces together are the text."""
    texts, shown = [], ""
    for end in range(1, len(ids) + 1):
        text = str(tokenizer.decode(ids[:end]))
        whole = "" if text.endswith("\N{REPLACEMENT CHARACTER}") and end < len(ids) else text[len(shown) :]
        shown += whole
        texts.append(whole)
    return texts

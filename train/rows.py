"""Pairs as TRL's rows and as the tokens it trains on, and the record of what went in."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair
from .votes.reading import loss_row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from .settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Tokens:
    """One pair as DPOTrainer sees it before truncation."""

    pair_id: str
    prompt: list[int]
    """The context both responses share; nothing in it is scored."""
    chosen: list[int]
    """What is scored: the response with the end-of-turn tokens of the chat template."""
    rejected: list[int]
    cut_from_prompt: int
    """Tokens at the end of the prompt that are not there once a response follows: TRL leaves them out."""


def in_training_order(pairs: Sequence[PreferencePair]) -> list[PreferencePair]:
    """Return the pairs sorted by id, so that the same set trains the same way in whatever order it came."""
    return sorted(pairs, key=lambda pair: (pair.id, pair.item_id, pair.kind))


def conversation_row(pair: PreferencePair) -> dict[str, Any]:
    """Return the pair in TRL's conversational preference format, with its id beside it."""
    return {
        "pair_id": pair.id,
        "prompt": [{"role": message.role, "content": message.content} for message in pair.prompt],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
    }


def tokenise(pair: PreferencePair, tokenizer: "PreTrainedTokenizerBase") -> Tokens:
    """Tokenise a pair with TRL's own functions; `train_dpo` checks the result against what its trainer made."""
    from trl.data_utils import _tokenize, common_prefix_length

    row = conversation_row(pair)
    prompt = _tokenize(tokenizer, row["prompt"], add_generation_prompt=True, tools=None)["input_ids"]
    chosen = _tokenize(tokenizer, row["prompt"] + row["chosen"], tools=None)["input_ids"]
    rejected = _tokenize(tokenizer, row["prompt"] + row["rejected"], tools=None)["input_ids"]
    shared = min(common_prefix_length(prompt, chosen), common_prefix_length(prompt, rejected))
    return Tokens(pair.id, prompt[:shared], chosen[shared:], rejected[shared:], len(prompt) - shared)


def training_row(pair: PreferencePair, settings: "TrainSettings | None" = None) -> dict[str, Any]:
    """Return all that a training reads of the pair: the conversation, and its votes where the loss reads them."""
    return conversation_row(pair) | (loss_row(pair, settings) if settings else {})


def data_sha256(pairs: Sequence[PreferencePair], settings: "TrainSettings | None" = None) -> str:
    """Return the SHA-256 of what a training reads of the pairs (`training_row`), whatever their order."""
    rows = sorted(json.dumps(training_row(pair, settings), ensure_ascii=False, sort_keys=True) for pair in pairs)
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()


def manifest(
    pairs: Sequence[PreferencePair], dropped: Sequence[str], settings: "TrainSettings | None" = None
) -> dict[str, Any]:
    """Return what went into a training: every pair's id in order, the hash of the contents, the counts.

    `dropped` are the ids of pairs that are in the data but too long to be trained on.
    """
    ordered = in_training_order(pairs)
    return {
        "sha256": data_sha256(ordered, settings),
        "pairs": len(ordered),
        "prompts": len({pair.prompt_id for pair in ordered}),
        "votes": len({vote for pair in ordered for vote in pair.vote_ids}),
        "kinds": dict(sorted(Counter(pair.kind for pair in ordered).items())),
        "tags": dict(sorted(Counter(tag for pair in ordered for tag in pair.tags).items())),
        "dropped": sorted(dropped),
        "ids": [pair.id for pair in ordered],
    }

"""Where chat template, tokenizer, base model and generation disagree: found on one short conversation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models import load_tokenizer
from ...runs import read_json
from ..settings import TrainSettings
from ..template import PROBE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKERS = re.compile(r"<\|[^|<>\s]{1,40}\|>|</?s>|<(?:start|end)_of_turn>|<[|\uff5c][^<>\s]{1,40}[|\uff5c]>|\[/?INST\]")
"""What templates mark turns with; a marker that is no token of its own is read as ordinary letters."""


@dataclass(slots=True)
class Drift:
    """What was found about the tokenizer."""

    problems: list[str] = field(default_factory=list)
    """What stops the run."""
    warnings: list[str] = field(default_factory=list)


def check_tokenizer(
    tokenizer: "PreTrainedTokenizerBase", base: Path, settings: TrainSettings, *, longest: int
) -> Drift:
    """Compare the tokenizer that trains with the base's own files, and with the adapter's that training goes on from.

    Args:
        tokenizer: With the chat template in use.
        base: The base model's folder.
        settings: Of the training.
        longest: Tokens of the longest sequence.
    """
    config = read_json(base / "config.json")
    found = Drift()
    found.problems += [*_too_many_tokens(tokenizer, config), *_too_long(config, longest)]
    found.warnings += [*_other_templates(tokenizer, base, settings), *_split_markers(tokenizer)]
    found.warnings += _other_ends(tokenizer, base, config)
    return found


def _too_many_tokens(tokenizer: "PreTrainedTokenizerBase", config: dict[str, Any]) -> Iterator[str]:
    size = config.get("text_config", config).get("vocab_size")
    if size is not None and len(tokenizer) > size:
        yield (
            f"the tokenizer has {len(tokenizer)} tokens, but the model's embeddings only {size}: tokens were added "
            "that the model does not know; take the tokenizer that belongs to it"
        )


def _too_long(config: dict[str, Any], longest: int) -> Iterator[str]:
    positions = config.get("text_config", config).get("max_position_embeddings")
    if positions is not None and longest > positions:
        yield f"the longest sequence has {longest} tokens, but the model was made for {positions}; lower max_length"


def _other_templates(tokenizer: "PreTrainedTokenizerBase", base: Path, settings: TrainSettings) -> Iterator[str]:
    ours = _rendered(tokenizer)
    own = load_tokenizer(base)
    if own.chat_template and _rendered(own) != ours:
        yield (
            "the chat template is not the base's own, which it was tuned with: a turn ends with "
            f"{_end_text(tokenizer)!r} where the base's ends with {_end_text(own)!r}"
        )
    start = settings.base_adapter
    if start is not None and (start / "tokenizer_config.json").exists():
        theirs = load_tokenizer(start)
        if theirs.chat_template and _rendered(theirs) != ours:
            yield f"base_adapter {start} was trained with another chat template than this training renders with"


def _split_markers(tokenizer: "PreTrainedTokenizerBase") -> Iterator[str]:
    for marker in sorted(set(MARKERS.findall(_rendered(tokenizer)))):
        pieces = tokenizer.encode(marker, add_special_tokens=False)
        if len(pieces) > 1:
            yield (
                f"the chat template writes {marker}, which this tokenizer splits into {len(pieces)} ordinary tokens: "
                "template and tokenizer do not belong together"
            )


def _other_ends(tokenizer: "PreTrainedTokenizerBase", base: Path, config: dict[str, Any]) -> Iterator[str]:
    end = _end(tokenizer)
    if end is None:
        yield "the chat template ends a response with no special token, so the tuned model will not know when to stop"
        return
    named = f"{tokenizer.convert_ids_to_tokens(end)} ({end})"
    stops = _stops(base, config)
    if end != tokenizer.eos_token_id:
        yield (
            f"the chat template ends a response with {named}, but the tokenizer's end-of-text token is "
            f"{tokenizer.eos_token} ({tokenizer.eos_token_id}): what only stops at that one will not stop"
        )
    if stops and end not in stops:
        shown = ", ".join(f"{tokenizer.convert_ids_to_tokens(stop)} ({stop})" for stop in sorted(stops))
        yield f"the chat template ends a response with {named}, but the base's generation stops at {shown} only"


def _stops(base: Path, config: dict[str, Any]) -> set[int]:
    """Return the tokens at which the base's generation stops."""
    path = base / "generation_config.json"
    stop = (read_json(path) if path.exists() else config).get("eos_token_id")
    return set() if stop is None else {stop} if isinstance(stop, int) else set(stop)


def _rendered(tokenizer: "PreTrainedTokenizerBase") -> str:
    return str(tokenizer.apply_chat_template(PROBE, tokenize=False))


def _end_text(tokenizer: "PreTrainedTokenizerBase") -> str:
    return _rendered(tokenizer).rpartition(PROBE[-1]["content"])[2]


def _end(tokenizer: "PreTrainedTokenizerBase") -> int | None:
    """Return the first special token after a response, None if there is none."""
    special = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
    after = tokenizer.encode(_end_text(tokenizer), add_special_tokens=False)
    return next((token for token in after if token in special), None)

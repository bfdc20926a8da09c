"""How many tokens the sealed material has: kept, so that evaluating again need not read a tokenizer to know it fits."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from ..collect.item import Message, content_hash
from ..collect.sampling.generate import prompt_ids
from ..runs import read_json, write_json
from ..train.rows import Tokens
from .likelihood import longest
from .subject import Subject

FILE = "sizes.json"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Lengths in tokens."""

    conversations: dict[str, int]
    """By pair id, that of the longer of its two."""
    empty: list[str]
    """Pairs with an answer of no tokens."""
    prompts: dict[str, int]
    """By prompt id, with what the chat template puts before an answer."""


def measure_sizes(
    subject: Subject,
    prompts: Mapping[str, tuple[Message, ...]],
    names: list[str],
    read_tokens: Callable[[], dict[str, Tokens]],
    folder: Path,
) -> Sizes:
    """Return the sizes of pairs (by id) and prompts (by id), from `folder` where they were measured before."""
    key, path = content_hash([_tokenizer(subject), names, list(prompts)]), folder / FILE
    if path.exists() and (kept := read_json(path))["key"] == key:
        return Sizes(kept["conversations"], kept["empty"], kept["prompts"])
    tokens = read_tokens()
    found = Sizes(
        conversations={name: longest(tokens[name]) for name in names},
        empty=[name for name in names if not tokens[name].chosen or not tokens[name].rejected],
        prompts={name: len(prompt_ids(subject.tokenizer, prompt)) for name, prompt in prompts.items()},
    )
    write_json(path, {"key": key, **asdict(found)})
    return found


def _tokenizer(subject: Subject) -> list[str | None]:
    files = sorted(path for path in subject.tokenizer_folder.iterdir() if path.is_file() and "token" in path.name)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return [*digests, subject.chat_template, version("transformers"), version("trl")]

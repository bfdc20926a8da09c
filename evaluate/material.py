"""What is asked of both models, checked before the first of them is asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..collect.item import Message
from ..collect.pair import PreferencePair
from ..errors import UserError
from ..train.rows import Tokens, tokenise
from .check import read_labels, without_labels
from .estimate import LeftOut
from .general import GeneralData, read_general
from .settings import EvaluateSettings
from .sizes import measure_sizes
from .subject import Subject


@dataclass(frozen=True, slots=True)
class Material:
    """All of it, and what is not."""

    pairs: list[PreferencePair]
    read_tokens: Callable[[], dict[str, Tokens]]
    """Gives the pairs' tokens by their id."""
    prompts: dict[str, tuple[Message, ...]]
    labels: dict[str, frozenset[str]]
    general: GeneralData | None
    left_out: list[LeftOut]


def prepare(subject: Subject, sealed: Sequence[PreferencePair], settings: EvaluateSettings, folder: Path) -> Material:
    """Take what can be measured of the sealed pairs, and read the files that the settings name.

    Raises:
        UserError, Problems: nothing can be measured, or a file can't be used.
    """
    context = subject.context
    unique = {pair.id: pair for pair in sealed}

    @cache
    def read_tokens() -> dict[str, Tokens]:
        return {name: tokenise(pair, subject.tokenizer) for name, pair in unique.items()}

    every = {pair.prompt_id: pair.prompt for pair in unique.values()}
    sizes = measure_sizes(subject, every, list(unique), read_tokens, folder)
    long, empty = [name for name, size in sizes.conversations.items() if size > context], sizes.empty
    kept = [pair for name, pair in unique.items() if name not in {*long, *empty}]
    if not kept:
        raise UserError(f"none of the {len(sealed)} sealed pairs can be evaluated: seal and label more prompts first")
    prompts = {pair.prompt_id: pair.prompt for pair in kept}
    room = context - settings.max_new_tokens
    tight = [name for name in prompts if sizes.prompts[name] > room]
    prompts = {name: prompt for name, prompt in prompts.items() if name not in tight}
    if not prompts:
        raise UserError(
            f"no sealed prompt leaves room for an answer of {settings.max_new_tokens} tokens: lower max_new_tokens"
        )
    check = settings.check
    labels = read_labels(check.labels) if check and check.labels else {}
    left_out = [
        LeftOut("pairs that are in the sealed set twice", tuple(_repeated([pair.id for pair in sealed]))),
        LeftOut(f"pairs longer than the model's context of {context} tokens", tuple(long)),
        LeftOut("pairs with an answer of no tokens", tuple(empty)),
        LeftOut("prompts that leave no room for an answer", tuple(tight)),
        *(without_labels(list(prompts), check, labels) if check else ()),
    ]
    return Material(
        pairs=kept,
        read_tokens=read_tokens,
        prompts=prompts,
        labels=labels,
        general=read_general(settings.general) if settings.general else None,
        left_out=[entry for entry in left_out if entry.ids],
    )


def _repeated(ids: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            yield name
        seen.add(name)

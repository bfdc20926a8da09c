"""A question to a model, and its reply: asked once, kept for good."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models import ModelFolder
from ..runs import read_lines
from .message import Message, content_hash, prompt_rows
from .settings import EndpointSettings

NO_ROOM = "no room"
"""How a reply ended that never began: the question is longer than the model's context."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request; make it with `make_question`, which knows what its reply depends on."""

    key: str
    """The hash of all that the reply depends on: the model, the messages and how the reply is sampled."""
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    """The longest reply."""
    top_p: float | None = None
    seed: int | None = None
    note: dict[str, Any] = field(default_factory=dict)
    """Stored beside the reply as it is, for whoever reads the file: which item, which order. Plain JSON."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    key: str
    text: str
    """Never read as code or markup; empty where the model said nothing."""
    finish: str
    """`stop`; `length`: cut off at max_tokens; `no room`: the question didn't fit; or the endpoint's own word."""
    input_tokens: int | None
    """None where the endpoint doesn't count."""
    output_tokens: int | None
    price: float | None
    """In the currency of the prices, the bound where the endpoint doesn't count tokens; None where there are none."""
    seconds: float
    """From sending to the end of the reply, with everything that was tried again."""


def make_question(
    to: EndpointSettings | ModelFolder,
    messages: Sequence[Message],
    *,
    max_tokens: int,
    temperature: float = 0.0,
    top_p: float | None = None,
    seed: int | None = None,
    note: dict[str, Any] | None = None,
) -> Question:
    """Return a question whose key depends on whom it is for, what is said and how the reply is sampled.

    A local model counts by its fingerprint, an endpoint by its URL and the model's name there. The note, prices and
    limits are no part of the key.
    """
    who = [to.base_url, to.model] if isinstance(to, EndpointSettings) else [to.sha256]
    key = content_hash([who, prompt_rows(messages), temperature, max_tokens, top_p, seed])
    return Question(key, tuple(messages), temperature, max_tokens, top_p, seed, note or {})


def make_row(question: Question, reply: Reply, *, model: str, revision: str | None) -> dict[str, Any]:
    """Return what the store keeps of a reply: all of it, who gave it, and the prompt's hash in the prompt's place."""
    asked = {"prompt": content_hash(prompt_rows(question.messages)), "model": model, "revision": revision}
    return {**dataclasses.asdict(reply), **asked, "note": question.note}


def read_replies(store: Path) -> dict[str, Reply]:
    """Return all replies of a store by key; rows of another kind are passed over."""
    names = [each.name for each in dataclasses.fields(Reply)]
    rows = [row for row in read_lines(store) if isinstance(row, dict) and row.keys() >= set(names)]
    return {row["key"]: Reply(**{name: row[name] for name in names}) for row in rows}


def split(questions: Sequence[Question], store: Path) -> tuple[dict[str, Reply], list[Question]]:
    """Return the replies there are, and the questions still to be asked, each once."""
    kept = read_replies(store)
    unique = {question.key: question for question in questions}
    known = {key: kept[key] for key in unique if key in kept}
    return known, [question for key, question in unique.items() if key not in known]

"""What the supervised stage before DPO learns from: demonstrations, of a file or the pairs' chosen answers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ..collect import Message, PreferencePair
from ..collect.pair import TIE
from ..errors import Problems, UserError

SHOWN = 20


class SftSettings(BaseModel, extra="forbid", frozen=True):
    """A supervised stage before DPO, for a base that does not yet answer in the way it should.

    Batch size, lengths, schedule and seed are those of `train`.
    """

    data: Path | None = None
    """Demonstrations, `{"messages": [...]}` a line, the last message the assistant's; None takes the chosen answers."""
    learning_rate: float = Field(2e-4, gt=0)
    """The highest learning rate of this stage; with `use_peft: false` a tenth of it."""
    epochs: int = Field(1, ge=1)
    """Passes over the demonstrations."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A conversation whose last answer is to be learned."""

    prompt: tuple[Message, ...]
    answer: str

    def as_pair(self) -> PreferencePair:
        """Return it as a pair that rejects nothing, for all that looks through pairs (what is sealed, and such)."""
        return PreferencePair(self.prompt, self.answer, "", 1.0, "demonstration", ())


class _Turn(BaseModel, extra="forbid", frozen=True):
    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class _Line(BaseModel, extra="forbid", frozen=True):
    messages: tuple[_Turn, ...] = Field(min_length=2)


def read_demonstrations(path: Path) -> list[Demonstration]:
    """Read demonstrations, one JSON object a line; empty lines are passed over.

    Raises:
        UserError: the file can't be read, or holds none.
        Problems: lines that are no demonstrations.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the demonstrations {path} can't be read: {error}") from error
    found, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_demonstration(TypeAdapter(_Line).validate_json(line)))
        except ValidationError as error:
            first: Any = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            problems.append(f"line {number}: {where}{' ' if where else ''}{first['msg']}")
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise Problems(f"{path} holds lines that are no demonstrations", [*problems[:SHOWN], *more])
    if not found:
        raise UserError(f"{path} holds no demonstrations")
    return found


def chosen_answers(pairs: Sequence[PreferencePair]) -> list[Demonstration]:
    """Return each pair's chosen answer once; ties prefer nothing and are passed over."""
    return list(dict.fromkeys(Demonstration(pair.prompt, pair.chosen) for pair in pairs if pair.kind != TIE))


def demonstrations_sha256(demonstrations: Sequence[Demonstration]) -> str:
    """Return the SHA-256 of what they say, whatever their order."""
    rows = sorted(
        json.dumps([[turn.role, turn.content] for turn in shown.prompt] + [shown.answer], ensure_ascii=False)
        for shown in demonstrations
    )
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()


def _demonstration(line: _Line) -> Demonstration:
    *prompt, last = line.messages
    if last.role != "assistant":
        raise ValueError(f"the last message is the {last.role}'s, not the assistant's")
    if prompt[-1].role != "user":
        raise ValueError(f"the message before the last is the {prompt[-1].role}'s, not the user's")
    return Demonstration(tuple(Message(turn.role, turn.content) for turn in prompt), last.content)

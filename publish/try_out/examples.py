"""The user's own examples: what is asked, and what a good answer is, as far as they say so."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...asking import Message
from ...asking.generate import Answer
from ...asking.message import content_hash, prompt_rows
from ...errors import Problems, UserError
from ...evaluate.check import CheckSettings, check_answer
from .settings import TryOutSettings

SHOWN = 20
"""How many problems of a file are shown; the rest are counted."""


class Turn(BaseModel, extra="forbid", frozen=True):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class AnswerCheck(BaseModel, extra="forbid", frozen=True):
    """What an answer must be, as the recipe's task check has it, with the example's own labels."""

    pattern: str | None = None
    max_words: int | None = Field(default=None, gt=0)
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _works(self) -> "AnswerCheck":
        # A path that is never opened: the labels stand here, and the pattern must have their group all the same.
        try:
            CheckSettings(pattern=self.pattern, max_words=self.max_words, labels=Path("-") if self.labels else None)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        if self.pattern is None and self.max_words is None:
            raise ValueError("a check needs a pattern, max_words, or both")
        return self


class Row(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | tuple[Turn, ...] = Field(min_length=1)
    id: str | None = Field(default=None, min_length=1)
    answer: str | tuple[str, ...] | None = None
    check: AnswerCheck | None = None
    good: str | None = Field(default=None, min_length=1)
    chosen: str | None = Field(default=None, min_length=1)
    bad: str | None = Field(default=None, min_length=1)
    rejected: str | None = Field(default=None, min_length=1)
    group: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Row":
        if (self.good and self.chosen) or (self.bad and self.rejected):
            raise ValueError("good and chosen mean the same, and so do bad and rejected: give one of each")
        good, bad = self.good or self.chosen, self.bad or self.rejected
        if bad and not good:
            raise ValueError("a bad answer needs a good one beside it")
        if bad and good == bad:
            raise ValueError("the good and the bad answer are the same")
        if isinstance(self.prompt, tuple) and self.prompt[-1].role != "user":
            raise ValueError("the last message of a prompt is the user's")
        if isinstance(self.answer, tuple) and not self.answer:
            raise ValueError("answer is an empty list: name the accepted answers, or leave it out")
        if any(not plain(text) for text in self.accepted):
            raise ValueError("an accepted answer has no words")
        return self

    @field_validator("check", mode="before")
    @classmethod
    def _pattern_alone(cls, check: Any) -> Any:
        return {"pattern": check} if isinstance(check, str) else check

    @property
    def accepted(self) -> tuple[str, ...]:
        """The answers that count as right."""
        return (self.answer,) if isinstance(self.answer, str) else self.answer or ()


@dataclass(frozen=True, slots=True)
class Example:
    """One thing that the model is wanted for."""

    id: str
    """The file's own, or the prompt's content hash."""
    line: int
    prompt: tuple[Message, ...]
    accepted: tuple[str, ...]
    """The right answers; empty where none is given."""
    check: AnswerCheck | None
    good: str | None
    bad: str | None
    """With `good`: the worse answer, by which a likelihood preference is measured."""
    group: str
    """What stands or falls together; each example by itself where nothing is said."""

    @property
    def prompt_id(self) -> str:
        """The content hash of the prompt, as in a release's data manifest."""
        return content_hash(prompt_rows(self.prompt))

    @property
    def scored(self) -> bool:
        """Whether an answer can be marked right or wrong."""
        return bool(self.accepted) or self.check is not None

    @property
    def paired(self) -> bool:
        """Whether it has a good and a bad answer."""
        return self.good is not None and self.bad is not None


def read_examples(path: Path, settings: TryOutSettings) -> list[Example]:
    """Read the file, all of its problems at once.

    Raises:
        UserError: it can't be read or is empty.
        Problems: lines that are no example, and prompts or ids that stand there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the examples {path} can't be read: {error}") from error
    examples, problems = list[Example](), list[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            examples.append(_example(Row.model_validate(json.loads(line)), number, settings.system))
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: no JSON ({error.msg})")
        except ValidationError as error:
            problems += [f"line {number}: {said}" for said in _said(error)]
    problems += list(_twice(examples))
    if problems:
        rest = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise Problems(f"{path} can't be tried out", [*problems[:SHOWN], *rest])
    if not examples:
        raise UserError(f'{path} holds no example; each line is a JSON object, at least {{"prompt": "..."}}')
    return examples


def is_right(example: Example, answer: Answer) -> bool:
    """Whether an answer is one of those accepted and passes the check, as far as the example asks for them.

    Space, capitals and a full stop at the end don't count against an accepted answer. A check is the recipe's own
    (`evaluate.check`): the whole answer must match, and it must have ended by itself.
    """
    right = not example.accepted or plain(answer.text) in {plain(text) for text in example.accepted}
    if example.check is not None:
        settings = CheckSettings(pattern=example.check.pattern, max_words=example.check.max_words)
        labels = frozenset(label.strip().casefold() for label in example.check.labels) or None
        right = right and all(check_answer(answer, settings, labels).values())
    return right


def plain(text: str) -> str:
    """Return a text without what doesn't count: case, extra space, a full stop at the end."""
    return " ".join(text.split()).casefold().removesuffix(".").strip()


def _example(row: Row, line: int, system: str | None) -> Example:
    if isinstance(row.prompt, str):
        start = (Message("system", system),) if system else ()
        prompt: tuple[Message, ...] = (*start, Message("user", row.prompt))
    else:
        prompt = tuple(Message(turn.role, turn.content) for turn in row.prompt)
    name = row.id or content_hash(prompt_rows(prompt))
    good, bad = row.good or row.chosen, row.bad or row.rejected
    return Example(name, line, prompt, row.accepted, row.check, good, bad, row.group or name)


def _said(error: ValidationError) -> Iterator[str]:
    """Say what is wrong with a line; of the shapes that a field may have, only what the given one lacks."""
    seen = set()
    for one in error.errors():
        place = str(one["loc"][0]) if one["loc"] else ""
        said = f"{place + ': ' if place else ''}{_words(one)}"
        if said not in seen:
            seen.add(said)
            yield said


def _words(one: Any) -> str:
    if one["type"] == "extra_forbidden":
        return f"no such key; known are {', '.join(Row.model_fields)}"
    return str(one["msg"]).removeprefix("Value error, ").partition("\n")[0]


def _twice(examples: list[Example]) -> Iterator[str]:
    prompts, names = dict[str, int](), dict[str, int]()
    for example in examples:
        if (first := prompts.setdefault(example.prompt_id, example.line)) != example.line:
            yield f"line {example.line}: the same prompt as line {first}; it would count twice"
        elif (first := names.setdefault(example.id, example.line)) != example.line:
            yield f"line {example.line}: the same id as line {first}"

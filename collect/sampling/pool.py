"""The pool: every pair of presentable answers to the prompts that were sampled, before any is selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ...errors import Problems, UserError
from ..item import Item, Message, content_hash, prompt_rows
from ..sealing.similar import jaccard, shingles
from .hygiene import MAKERS, flaw
from .writers import SampleSettings, Written


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation that waits for an answer."""

    prompt: tuple[Message, ...]
    tags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The content hash (16 hex digits) of the conversation."""
        return content_hash(prompt_rows(self.prompt))


@dataclass(frozen=True, slots=True)
class Pool:
    """The items that could be shown, and what became of every answer that is in none."""

    items: tuple[Item, ...]
    answers: int
    """Answers written, over all prompts."""
    left_out: dict[str, tuple[str, ...]]
    """Why an answer was left out, with its prompt's id and its writer: `prompt id: writer`."""
    prompts_without: tuple[str, ...]
    """Ids of prompts that kept fewer than two answers and so give no item."""


def read_prompts(path: Path) -> list[Prompt]:
    """Read prompts, one JSON object a line: {"prompt": text or messages, "tags": […]}.

    Raises:
        UserError: the file can't be read.
        Problems: lines that are no prompts, end with the assistant's turn, or stand there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    prompts, problems, first = list[Prompt](), list[str](), dict[str, int]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            prompt = _prompt(line)
        except (ValidationError, ValueError) as error:
            problems.append(f"line {number}: {_sentence(error)}")
            continue
        if first.setdefault(prompt.id, number) != number:
            problems.append(f"line {number}: the same prompt as line {first[prompt.id]}")
        prompts.append(prompt)
    if problems or not prompts:
        raise Problems(f"{path} is not a file of prompts", problems or ["it has no prompt"])
    return prompts


def make_pool(prompts: Sequence[Prompt], written: Sequence[Written], settings: SampleSettings) -> Pool:
    """Pair the presentable answers to each prompt, every two of them.

    Left out and counted are answers that are empty, cut off, broken or name their maker (`hygiene.flaw`), and those
    that say what an earlier one to the same prompt says.
    """
    makers = (*MAKERS, *(name.lower() for name in settings.hide))
    items, left_out, without = list[Item](), dict[str, list[str]](), list[str]()
    answers = {key: list(rows) for key, rows in groupby(written, lambda row: row.prompt_id)}
    for prompt in prompts:
        kept = list[Written]()
        for answer in answers.get(prompt.id, []):
            reason = _unfit(answer, prompt, kept, settings.near_duplicate, makers)
            if reason is None:
                kept.append(answer)
            else:
                left_out.setdefault(reason, []).append(f"{prompt.id}: {answer.origin.name}")
        items += [
            Item(prompt.prompt, one.text, two.text, one.origin, two.origin, prompt.tags)
            for one, two in combinations(kept, 2)
        ]
        if len(kept) < 2:
            without.append(prompt.id)
    counted: Mapping[str, tuple[str, ...]] = {reason: tuple(rows) for reason, rows in left_out.items()}
    return Pool(tuple(items), len(written), dict(counted), tuple(without))


def _unfit(
    answer: Written, prompt: Prompt, kept: Sequence[Written], threshold: float, makers: Sequence[str]
) -> str | None:
    if answer.finish == "length":
        return "cut off"
    found = flaw(answer.text, "\n".join(message.content for message in prompt.prompt), makers)
    if found:
        return found
    said = shingles(answer.text)
    same = any(jaccard(said, shingles(other.text)) >= threshold for other in kept)
    return "near-duplicate of another answer" if same else None


def _prompt(line: str) -> Prompt:
    row: Any = TypeAdapter(dict[str, Any]).validate_json(line)
    unknown = sorted(row.keys() - {"prompt", "tags"})
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not a field of a prompt; there are prompt and tags")
    text = row.get("prompt")
    messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
    prompt = TypeAdapter(Prompt).validate_python({"prompt": messages, "tags": row.get("tags", ())})
    if not prompt.prompt or any(not message.content.strip() for message in prompt.prompt):
        raise ValueError("prompt: it is empty, or has an empty message")
    if prompt.prompt[-1].role == "assistant":
        raise ValueError("prompt: it must end with the turn that is to be answered, not with the assistant's")
    return prompt


def _sentence(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the line"
        return f"{where}: {problem['msg']}, got {str(problem['input'])[:60]!r}"
    return str(error)

"""Whether generated answers do the task as told: shape, label, length, finished. No judge, no opinion."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..collect.sampling.generate import Answer
from ..errors import Problems, UserError
from .estimate import LeftOut
from .parts import Check, Criterion
from .statistics import Plan, compare


class CheckSettings(BaseModel):
    """What every answer must be to count as doing the task, decided without a judge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str | None = None
    """A regular expression that the whole answer must match; its group `label`, if any, is the answer's label."""
    max_words: int | None = Field(default=None, gt=0)
    """The longest acceptable answer, in words."""
    labels: Path | None = None
    """JSON lines {"prompt_id", "labels": [...]}: the labels that are right for a prompt."""

    @model_validator(mode="after")
    def _pattern_works(self) -> "CheckSettings":
        try:
            groups = re.compile(self.pattern or "").groupindex
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r} is not a regular expression: {error}") from error
        if self.labels is not None and "label" not in groups:
            raise ValueError("labels are compared with the group `label` of pattern: write (?P<label>...) into pattern")
        return self


CRITERIA: tuple[str, ...] = ("shape", "label", "length", "finished")

Marks = dict[str, bool]
"""The criteria that apply to one answer, and whether it meets them."""


def check_answer(answer: Answer, settings: CheckSettings, labels: frozenset[str] | None) -> Marks:
    """Mark one answer by the criteria that apply to it; labels are compared without case.

    Args:
        answer: What the model wrote.
        settings: What is asked of it.
        labels: The labels that are right for its prompt; None where nobody knows.
    """
    found = re.fullmatch(settings.pattern, answer.text.strip()) if settings.pattern is not None else None
    marks: Marks = {}
    if settings.pattern is not None:
        marks["shape"] = found is not None
    if labels is not None:
        marks["label"] = found is not None and (found["label"] or "").strip().casefold() in labels
    if settings.max_words is not None:
        marks["length"] = len(answer.text.split()) <= settings.max_words
    marks["finished"] = answer.finish == "eos"
    return marks


def read_labels(path: Path) -> dict[str, frozenset[str]]:
    """Read the right labels by prompt id.

    Raises:
        UserError: the file is missing.
        Problems: lines that are not {"prompt_id", "labels": [...]}.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"the labels of the task check can't be read: {path} ({error.strerror})") from error
    labels, problems = {}, []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            labels[str(row["prompt_id"])] = frozenset(str(label).strip().casefold() for label in row["labels"])
        except (json.JSONDecodeError, KeyError, TypeError):
            problems.append(f'line {number}: expected {{"prompt_id": ..., "labels": [...]}}, got {line[:80]!r}')
    if problems:
        raise Problems(f"{path} holds lines that name no labels", problems)
    return labels


def mark_answers(
    answers: Mapping[str, Answer], settings: CheckSettings, labels: Mapping[str, frozenset[str]]
) -> dict[str, Marks]:
    """Mark answers by prompt id."""
    return {prompt: check_answer(answer, settings, labels.get(prompt)) for prompt, answer in answers.items()}


def measure_check(base: Mapping[str, Marks], tuned: Mapping[str, Marks], plan: Plan) -> Check:
    """Compare both models' marks on the same prompts, criterion by criterion and all together."""
    used = [name for name in CRITERIA if any(name in marks for marks in base.values())]
    rows = [_criterion(name, base, tuned, [prompt for prompt in base if name in base[prompt]], plan) for name in used]
    return Check((*rows, _criterion("all", base, tuned, list(base), plan)))


def without_labels(
    prompts: Sequence[str], settings: CheckSettings, labels: Mapping[str, frozenset[str]]
) -> list[LeftOut]:
    """List the prompts whose labels could not be checked."""
    missing = tuple(prompt for prompt in prompts if prompt not in labels)
    return [LeftOut("prompts without known labels (label not checked)", missing)] if settings.labels and missing else []


def _criterion(
    name: str, base: Mapping[str, Marks], tuned: Mapping[str, Marks], prompts: Sequence[str], plan: Plan
) -> Criterion:
    def met(marks: Marks) -> float:
        return float(all(marks.values()) if name == "all" else marks[name])

    first, second = ([met(side[prompt]) for prompt in prompts] for side in (base, tuned))
    return Criterion(name, compare(first, second, prompts, plan))

"""A multiple-choice task through lm-eval on a local file: what the tuning cost elsewhere.

Runs offline on the model that is already loaded. lm-eval's own request cache is not used: its keys leave the model out.
"""

import contextlib
import hashlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import Problems, UserError
from ..runs import write_lines
from .parts import General
from .statistics import Plan, compare

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TASK = "prefloop_general"


class GeneralSettings(BaseModel):
    """A multiple-choice task about something else, to see what the tuning cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """JSON lines {"question", "choices": [...], "answer": index}."""
    limit: int | None = Field(default=None, gt=0)
    """Ask only the first so many questions."""


class Question(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    choices: tuple[str, ...] = Field(min_length=2)
    answer: int = Field(ge=0)
    """The index of the right choice."""

    @model_validator(mode="after")
    def _answer_exists(self) -> "Question":
        if self.answer >= len(self.choices):
            raise ValueError(f"answer {self.answer} is no index into {len(self.choices)} choices")
        return self


@dataclass(frozen=True, slots=True)
class GeneralData:
    """The questions that are asked."""

    name: str
    sha256: str
    """Of the whole file."""
    questions: tuple[Question, ...]


def read_general(settings: GeneralSettings) -> GeneralData:
    """Read and check the questions, the first `limit` of them.

    Raises:
        UserError: the file is missing or empty.
        Problems: lines that are no questions.
    """
    try:
        raw = settings.data.read_bytes()
    except OSError as error:
        raise UserError(f"the general task can't be read: {settings.data} ({error.strerror})") from error
    questions, problems = [], []
    for number, line in enumerate(raw.decode("utf-8").splitlines(), 1):
        try:
            questions.append(Question.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            problems.append(f"line {number}: {'.'.join(map(str, first['loc']))} {first['msg']}")
    if problems:
        raise Problems(f"{settings.data} holds lines that are no multiple-choice questions", problems)
    if not questions:
        raise UserError(f"{settings.data} holds no questions")
    return GeneralData(settings.data.name, hashlib.sha256(raw).hexdigest(), tuple(questions[: settings.limit]))


def answer_questions(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", data: GeneralData, *, batch_size: int
) -> list[float]:
    """Return for each question 1 when the right choice is the likeliest continuation, else 0 (lm-eval's `acc`)."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as scratch, _silenced():
        # The default index of 14,683 tasks takes 14 to 41 seconds to build.
        tasks = TaskManager(include_defaults=False).load([_task(data, Path(scratch))])
        model_under_test = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        result = evaluate(model_under_test, tasks, bootstrap_iters=0, log_samples=True)
    samples = sorted(result["samples"][TASK], key=lambda sample: sample["doc_id"])
    return [float(sample["acc"]) for sample in samples]


def measure_general(data: GeneralData, base: list[float], tuned: list[float], plan: Plan) -> General:
    """Compare both models' answers, question by question."""
    questions = [str(number) for number in range(len(data.questions))]
    return General(data.name, data.sha256, compare(base, tuned, questions, replace(plan, unit="questions")))


def _task(data: GeneralData, scratch: Path) -> dict[str, Any]:
    rows = write_lines(scratch / "questions.jsonl", (question.model_dump() for question in data.questions))
    return {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows)}, "cache_dir": str(scratch / "cache")},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep the progress bars of lm-eval and datasets off the terminal: a library doesn't print."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield

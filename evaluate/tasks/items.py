"""A task's questions one by one: their texts, and what each model got for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...collect.item import content_hash
from ...collect.sealing.evaluation_texts import EvaluationText, texts_of_rows
from ...errors import UserError
from ...runs import read_lines, write_lines
from ..subject import Subject, Who
from .aggregate import metrics_of
from .definitions import Defined, Group, define
from .harness import Item, Task
from .measure import Known, Measured, read_known
from .preflight import data_revision
from .settings import TasksSettings


@dataclass(frozen=True, slots=True)
class TaskItems:
    """The questions that were asked of one benchmark, or of one task of the user's own."""

    name: str
    """The row's in the results."""
    texts: tuple[EvaluationText, ...]
    """Of the questions; each one's `row` is `task:number`."""
    scores: dict[Who, dict[str, float]]
    """0 to 1 by the question's `task:number`: the mean of the benchmark's metrics."""
    clusters: dict[str, str]
    """What a question shares with others; itself where it stands alone."""


def write_texts(folder: Path, defined: Defined, task: Task, settings: TasksSettings) -> Path:
    """Keep the texts of the questions that are asked, whichever model it is."""
    rows = {str(number): dict(doc) for number, doc in enumerate(islice(task.eval_docs, settings.limit))}
    texts = texts_of_rows(defined.task, rows)
    path = _texts_path(folder, defined, settings)
    return path if path.exists() else write_lines(path, [{"row": text.row, "text": text.text} for text in texts])


def read_items(settings: TasksSettings, models: Subject, folder: Path) -> Iterator[TaskItems]:
    """Return the questions of a run that is finished, row by row of its results.

    Raises:
        UserError: a task was not asked yet, or its texts are gone.
    """
    definitions = define(settings, folder)
    known = read_known(definitions.tasks, models, settings, folder)
    for group in definitions.groups:
        yield _items(group, known, settings, folder)


def _items(group: Group, known: Known, settings: TasksSettings, folder: Path) -> TaskItems:
    texts, clusters = list[EvaluationText](), dict[str, str]()
    scores: dict[Who, dict[str, float]] = {who: {} for who in known}
    for defined in group.tasks:
        texts += _read_texts(group.name, defined, settings, folder)
        for who, tasks in known.items():
            measured = tasks[defined.task]
            metrics = metrics_of(group, measured)
            scores[who] |= {_id(measured, item): _score(item, metrics) for item in measured.outcome.items}
            clusters |= {_id(measured, item): item.cluster or _id(measured, item) for item in measured.outcome.items}
    return TaskItems(group.name, tuple(texts), scores, clusters)


def _id(measured: Measured, item: Item) -> str:
    return f"{measured.task}:{item.doc_id}"


def _score(item: Item, metrics: tuple[str, ...]) -> float:
    values = [item.metrics[metric] for metric in metrics]
    # Of IFEval's instructions it is the share that was followed: here each question counts the same.
    plain = [sum(value) / len(value) if isinstance(value, list) else float(value) for value in values]
    return sum(plain) / len(plain)


def _read_texts(name: str, defined: Defined, settings: TasksSettings, folder: Path) -> list[EvaluationText]:
    path = _texts_path(folder, defined, settings)
    if not path.exists():
        raise UserError(f"{path} is gone; delete {folder / 'outcomes'} too, and the tasks are asked again")
    return [EvaluationText(name, f"{defined.task}:{row['row']}", row["text"]) for row in read_lines(path)]


def _texts_path(folder: Path, defined: Defined, settings: TasksSettings) -> Path:
    key = content_hash([defined.sha256, data_revision(defined.file), settings.limit])
    return folder / "texts" / f"{defined.task}-{key}.jsonl"

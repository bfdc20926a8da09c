"""One task of one model, kept in a file by the hash of all that it depends on: asked once, and never again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ...collect.item import content_hash
from ...errors import UserError
from ...runs import read_json, write_json
from ..estimate import LeftOut
from ..subject import Subject, Who
from .definitions import Defined
from .harness import Asked, Item, Outcome
from .preflight import data_revision
from .settings import TasksSettings

FORMAT = 2
PACKAGES = ("lm-eval", "transformers", "torch", "datasets")


@dataclass(frozen=True, slots=True)
class Measured:
    """What lm-eval found on one task, with what it was found under."""

    key: str
    task: str
    who: str
    model: str
    """The fingerprint of model and adapter."""
    outcome: Outcome
    cut: LeftOut | None
    seconds: float


Known = dict[Who, dict[str, Measured]]
"""By model and by lm-eval's name of the task."""


def key_of(defined: Defined, who: Who, models: Subject, settings: TasksSettings) -> str:
    """Return the hash of everything that a task's outcome depends on.

    That is: model, adapter, dtype, device, chat template, the task's definition and data, how many questions are asked
    and how many at once, and the libraries.
    """
    asked = [settings.limit, settings.batch_size, settings.apply_chat_template]
    asked += [settings.apply_chat_template and settings.fewshot_as_multiturn]
    revision = data_revision(defined.file)
    libraries = [version(name) for name in PACKAGES]
    return content_hash([FORMAT, models.key(who), defined.sha256, revision, asked, libraries])


def read_measured(folder: Path, task: str, key: str) -> Measured | None:
    """Return what is known of a task, if anything is.

    Raises:
        UserError: the file is no measurement; somebody changed it.
    """
    path = _path(folder, task, key)
    if not path.exists():
        return None
    try:
        found = TypeAdapter(Measured).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        raise UserError(f"{path} is not what prefloop wrote there: delete it, and the task is asked again") from error
    return found if found.key == key else None


def read_known(tasks: Sequence[Defined], models: Subject, settings: TasksSettings, folder: Path) -> Known:
    """Return what is known of these tasks. Raises as `read_measured`."""
    known: Known = {}
    for who in models.sides:
        read = {
            defined.task: read_measured(folder / "outcomes", defined.task, key_of(defined, who, models, settings))
            for defined in tasks
        }
        known[who] = {task: found for task, found in read.items() if found is not None}
    return known


def write_measured(folder: Path, found: Measured) -> Path:
    """Write it whole or not at all."""
    value: dict[str, Any] = asdict(found)
    return write_json(_path(folder, found.task, found.key), value)


def _path(folder: Path, task: str, key: str) -> Path:
    return folder / f"{task}-{key}.json"


def asked_as(settings: TasksSettings) -> Asked:
    """Return how questions are put."""
    return Asked(settings.limit, settings.apply_chat_template, settings.fewshot_as_multiturn)


def scores_of(items: tuple[Item, ...], metrics: tuple[str, ...]) -> list[float]:
    """Return one score a question whose plain mean is the mean of the metrics.

    A list of yes and no (IFEval's instructions, of which a prompt has one to three) counts in all instructions
    together: each prompt's sum, times prompts by instructions.
    """
    columns = [_column(items, metric) for metric in metrics]
    return [sum(values) / len(metrics) for values in zip(*columns, strict=True)]


def _column(items: tuple[Item, ...], metric: str) -> list[float]:
    values = [item.metrics[metric] for item in items]
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) != len(values):
        return [float(value) for value in values if not isinstance(value, list)]
    share = len(values) / sum(map(len, lists))
    return [sum(value) * share for value in lists]

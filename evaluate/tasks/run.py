"""The one verb: tasks and models in, scores with intervals out; what was asked once is never asked again."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shlex import join
from typing import Any

from ...runs import Progress, silent
from ...train.adapter import is_whole
from ..estimate import LeftOut
from ..subject import DTYPE, Subject, Who
from .aggregate import aggregate
from .definitions import Defined, Definitions, define
from .harness import ask, wrap_model
from .items import write_texts
from .measure import PACKAGES, Known, Measured, asked_as, key_of, read_known, write_measured
from .preflight import Ready, make_ready
from .result import TaskResults
from .settings import TasksSettings


def run_tasks(settings: TasksSettings, models: Subject, folder: Path, *, progress: Progress = silent) -> TaskResults:
    """Ask one model, or a base and what was tuned from it, all chosen tasks.

    Everything that would stop the run in its middle is looked for first, before any model is loaded. Each task's
    outcome is kept as soon as it is there: called again after a kill it goes on, and after the end it only reads.

    Args:
        settings: Which tasks, and how.
        models: Of `open_subject`.
        folder: Keeps the task files, the data and the outcomes; models and settings may differ from call to call.
        progress: Called with work done and work in all, in scored answers.

    Raises:
        Problems: data, packages or room for an answer are missing; everything at once.
    """
    start = time.monotonic()
    definitions = define(settings, folder)
    known = read_known(definitions.tasks, models, settings, folder)
    owed = _owed(definitions, known)
    cut: list[LeftOut] = []
    if owed:
        ready = make_ready(definitions, owed, models, asked_as(settings))
        _ask_owed(definitions, known, ready, models, settings, folder, progress)
    for tasks in known.values():
        cut += [one.cut for one in tasks.values() if one.cut is not None and one.cut not in cut]
    rows, averages = aggregate(definitions.groups, known, settings)
    return TaskResults(
        models=tuple(models.identity(who) for who in models.sides),
        rows=rows,
        averages=averages,
        chat_template=settings.apply_chat_template,
        limit=settings.limit,
        confidence=settings.confidence,
        margin=settings.margin,
        settings=settings.model_dump(mode="json"),
        commands=tuple(command(definitions, models, who, settings) for who in models.sides),
        asked_now=len(owed),
        tasks=len(definitions.tasks),
        left_out=(*definitions.left_out, *cut),
        versions={name: version(name) for name in ("prefloop", *PACKAGES)},
        seconds=round(time.monotonic() - start, 1),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def check_tasks(settings: TasksSettings, models: Subject, folder: Path) -> None:
    """Look for everything that would stop `run_tasks`, and ask nothing. Raises as it does."""
    definitions = define(settings, folder)
    if owed := _owed(definitions, read_known(definitions.tasks, models, settings, folder)):
        make_ready(definitions, owed, models, asked_as(settings))


def _owed(definitions: Definitions, known: Known) -> list[Defined]:
    return [task for task in definitions.tasks if any(task.task not in tasks for tasks in known.values())]


def _ask_owed(
    definitions: Definitions,
    known: Known,
    ready: Mapping[str, Ready],
    models: Subject,
    settings: TasksSettings,
    folder: Path,
    progress: Progress,
) -> None:
    """Ask task by task, the base before the tuned model, so that a killed run leaves whole comparisons."""
    owed = [(task, who) for task in definitions.tasks for who in models.sides if task.task not in known[who]]
    meter = _Meter(progress, sum(ready[task.task].work for task, _ in owed))
    for defined, who in owed:
        one, before, start = ready[defined.task], meter.done, time.monotonic()
        write_texts(folder, defined, one.task, settings)
        with models.as_(who) as model:
            wrapped = wrap_model(model, models.tokenizer, settings.batch_size, meter.advance)
            outcome = ask(wrapped, one.task, asked_as(settings))
        seconds = round(time.monotonic() - start, 2)
        key = key_of(defined, who, models, settings)
        found = Measured(key, defined.task, who, models.identity(who).sha256, outcome, one.cut, seconds)
        write_measured(folder / "outcomes", found)
        known[who][defined.task] = found
        meter.reach(before + one.work)


class _Meter:
    """Work done of work in all: batches tell about how much, the end of a task exactly."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.reach(0)

    def advance(self, work: int) -> None:
        self.reach(min(self.done + work, self.total))

    def reach(self, done: int) -> None:
        self.done = done
        self.progress(done, self.total)


def command(definitions: Definitions, models: Subject, who: Who, settings: TasksSettings) -> str:
    """Return lm-eval's own command for one of the models: it reads the same task files and gets the same numbers."""
    said: list[Any] = ["lm-eval", "run", "--model", "hf", "--model_args", model_args(models, who)]
    said += ["--tasks", ",".join(task.task for task in definitions.tasks), "--include_path", definitions.folder]
    said += ["--device", models.device, "--batch_size", settings.batch_size]
    said += ["--limit", settings.limit] if settings.limit else []
    if settings.apply_chat_template:
        said += ["--apply_chat_template", "--fewshot_as_multiturn", str(settings.fewshot_as_multiturn).lower()]
    return join(map(str, said))


def model_args(models: Subject, who: Who) -> str:
    """Return what lm-eval's own command calls the model."""
    adapter = models.adapter if who == "tuned" else None
    whole = adapter is not None and is_whole(adapter)
    said = [f"pretrained={adapter if whole else models.base.path}", f"dtype={DTYPE}"]
    said += [f"peft={adapter}"] if adapter is not None and not whole else []
    said += [f"tokenizer={models.tokenizer_folder}"] if models.tokenizer_folder != models.base.path else []
    return ",".join(said)

"""The task files that lm-eval reads: its own ones, included, with the data, shots and names that this run wants.

One file a task in a folder of the run, so that lm-eval's own command reads the same files and gets the same numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from ...collect.item import content_hash
from ...errors import Problems
from ...runs import write_text
from ..estimate import LeftOut
from .catalogue import Board, Chosen, Source, choose, part_of
from .mirror import Data, read_mirror
from .own import OwnTask, read_own, read_setting
from .settings import TasksSettings

HUB = "hub"
SPLITS = ("training_split", "validation_split", "fewshot_split")


@dataclass(frozen=True, slots=True)
class Defined:
    """One of lm-eval's tasks, ready to be read by it."""

    task: str
    file: Path
    sha256: str
    """Of the definition and its data; data that the Hub sends are known by their revision only."""
    read_from: tuple[str, ...]
    """The user's own data files; empty with data from the Hub."""


@dataclass(frozen=True, slots=True)
class Group:
    """What becomes one row of the result: a benchmark, or a task of the user's own."""

    name: str
    board: Board
    chosen: Chosen | None
    """None for a task of the user's own."""
    tasks: tuple[Defined, ...]
    notes: tuple[str, ...] = ()
    """In what the data differ from the published ones."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that is to be run."""

    folder: Path
    """Holds the task files: what `--include_path` of lm-eval's command gets."""
    groups: tuple[Group, ...]
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def tasks(self) -> list[Defined]:
        """All tasks, in order."""
        return [task for group in self.groups for task in group.tasks]


def define(settings: TasksSettings, folder: Path) -> Definitions:
    """Find, check and write down everything that is to be run; no model is needed.

    Raises:
        Problems: data that are missing or of another shape, or tasks of the user's own that are none.
    """
    problems: list[str] = []
    left_out: list[LeftOut] = []
    drafts: list[_Draft] = []
    for chosen in choose(name for name in settings.run if isinstance(name, str)):
        draft, missing, wrong = _draft(chosen, settings, folder / "data")
        problems += wrong
        if missing and not wrong:
            left_out.append(LeftOut(f"parts of {chosen.benchmark.name} that the data folder lacks", missing))
        drafts += [draft] if draft else []
    for name in settings.run:
        if isinstance(name, Path):
            task, wrong = read_own(name.expanduser())
            problems += wrong
            drafts += [_own_draft(task, settings)] if task else []
    problems += _twice([task for draft in drafts for task in draft.configs])
    if problems:
        raise Problems("these tasks can't be run", problems)
    return _written(drafts, folder, tuple(left_out))


@dataclass(frozen=True, slots=True)
class _Draft:
    name: str
    board: Board
    chosen: Chosen | None
    configs: dict[str, dict[str, Any]]
    hashes: dict[str, str]
    read_from: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def _draft(chosen: Chosen, settings: TasksSettings, into: Path) -> tuple[_Draft | None, tuple[str, ...], list[str]]:
    """Return a benchmark's configs, the parts that are missing, and problems."""
    source, tasks = chosen.source, [each.task for each in chosen.benchmark.subtasks]
    if settings.data_dir is None:
        configs = {task: _config(chosen, task, settings, None) for task in tasks}
        hashes = {task: HUB for task in tasks}
        return _Draft(source.name, chosen.board, chosen, configs, hashes, dict.fromkeys(tasks, ()), ()), (), []
    found = read_mirror(settings.data_dir, chosen, into)
    if not found.data:
        return None, (), list(found.problems)
    configs = {task: _config(chosen, task, settings, data) for task, data in found.data.items()}
    hashes = {task: data.sha256 for task, data in found.data.items()}
    read_from = {task: data.read_from for task, data in found.data.items()}
    notes = tuple(_notes(chosen, settings, next(iter(found.data.values()))))
    return _Draft(source.name, chosen.board, chosen, configs, hashes, read_from, notes), found.missing, []


def _own_draft(task: OwnTask, settings: TasksSettings) -> _Draft:
    shots = {} if settings.num_fewshot is None else {"num_fewshot": settings.num_fewshot}
    configs, hashes = {task.name: task.config | shots}, {task.name: task.sha256}
    return _Draft(task.name, "your own", None, configs, hashes, {task.name: ()}, ())


def _config(chosen: Chosen, task: str, settings: TasksSettings, data: Data | None) -> dict[str, Any]:
    source = chosen.source
    config: dict[str, Any] = {
        "include": str(lm_eval_file(source, task)),
        "task": task,
        "num_fewshot": _shots(chosen, settings, data),
    }
    if data is None:
        return config
    config |= {
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {
            "data_files": data.files,
            "cache_dir": str(Path(next(iter(data.files.values()))).parent / "cache"),
        },
    }
    # lm-eval would look for the splits that the Hub's data have and the mirror's lack.
    named = {key: read_setting(lm_eval_file(source, task), key) for key in SPLITS}
    return config | {key: None for key, split in named.items() if split is not None and split not in data.files}


def _shots(chosen: Chosen, settings: TasksSettings, data: Data | None) -> int:
    asked = chosen.benchmark.shots
    if settings.num_fewshot is not None and asked:
        asked = settings.num_fewshot
    return min(asked, data.examples) if data and chosen.source.pool_split else asked


def _notes(chosen: Chosen, settings: TasksSettings, data: Data) -> Iterator[str]:
    """Say where worked examples come from other than the published set."""
    wanted = chosen.benchmark.shots if settings.num_fewshot is None else settings.num_fewshot
    if not chosen.source.pool_split or not chosen.benchmark.shots or not wanted:
        return
    if not data.examples:
        yield f"no worked examples: the data folder has no {chosen.source.pool}* file"
    else:
        yield f"worked examples are drawn from the data folder's {data.examples}"


def lm_eval_file(source: Source, task: str) -> Path:
    """Return lm-eval's own file of a task."""
    found = find_spec("lm_eval")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'lm_eval'", name="lm_eval")
    return Path(found.origin).parent / "tasks" / source.yaml.format(part=part_of(source, task))


def _twice(names: list[str]) -> list[str]:
    return [f"{name}: two of the tasks have this name" for name in sorted({n for n in names if names.count(n) > 1})]


def _written(drafts: list[_Draft], folder: Path, left_out: tuple[LeftOut, ...]) -> Definitions:
    """Write the task files into a folder named by what they are."""
    every = {task: config for draft in drafts for task, config in draft.configs.items()}
    into = folder / "definitions" / content_hash(every)[:16]
    for task, config in every.items():
        path = into / f"{task}.yaml"
        if not path.exists():
            write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    groups = tuple(
        Group(
            draft.name,
            draft.board,
            draft.chosen,
            tuple(_defined(draft, task, into) for task in draft.configs),
            draft.notes,
        )
        for draft in drafts
    )
    return Definitions(into.resolve(), groups, left_out)


def _defined(draft: _Draft, task: str, into: Path) -> Defined:
    # Where the data lie does not change what is asked.
    told = {key: value for key, value in draft.configs[task].items() if key not in {"include", "dataset_kwargs"}}
    sha256 = content_hash([told, draft.hashes[task]])
    return Defined(task, into.resolve() / f"{task}.yaml", sha256, draft.read_from[task])

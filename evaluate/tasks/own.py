"""The user's own tasks: questions in a JSONL, or an lm-eval task of ten lines of YAML."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..general import Question

SHOWN = 3
FILTERS = ("remove_whitespace", "take_first")


class ExactAnswer(BaseModel):
    """One line of a file of questions whose answer is written out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    """What the model must write on its first line; case and punctuation don't count."""


@dataclass(frozen=True, slots=True)
class OwnTask:
    """A task that is no part of a leaderboard."""

    name: str
    config: dict[str, Any]
    """What is written into lm-eval's task file."""
    sha256: str
    """Over everything that the task is made of."""


def read_own(path: Path) -> tuple[OwnTask | None, list[str]]:
    """Read one of the user's tasks; None with problems."""
    if not path.is_file():
        return None, [f"{path} is no file"]
    return _questions(path) if path.suffix == ".jsonl" else _task_file(path)


def _questions(path: Path) -> tuple[OwnTask | None, list[str]]:
    raw = path.read_bytes()
    rows, problems = [], []
    for number, line in enumerate(raw.decode("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            kind = Question if isinstance(row, dict) and "choices" in row else ExactAnswer
            rows.append(kind.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            problems.append(f"{path}, line {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
        except json.JSONDecodeError as error:
            problems.append(f"{path}, line {number}: not JSON: {error.msg}")
    kinds = {type(row) for row in rows}
    if problems:
        more = len(problems) - SHOWN
        return None, problems[:SHOWN] + ([f"{path}: {more} more such lines"] if more > 0 else [])
    if len(kinds) != 1:
        what = "both kinds of questions: put those with choices into a file of their own" if kinds else "no questions"
        return None, [f"{path} holds {what}"]
    name = re.sub(r"\W+", "_", path.stem)
    return OwnTask(name, _config(name, path, choices=Question in kinds), hashlib.sha256(raw).hexdigest()), []


def _config(name: str, path: Path, *, choices: bool) -> dict[str, Any]:
    shared = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(path.resolve())}},
        "test_split": "test",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "num_fewshot": 0,
    }
    if choices:
        metrics = [{"metric": "acc"}, {"metric": "acc_norm"}]
        asked = {"output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "answer"}
        return shared | asked | {"metric_list": metrics}
    return shared | {
        "output_type": "generate_until",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 64, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "ignore_case": True, "ignore_punctuation": True}],
        "filter_list": [{"name": "first-line", "filter": [{"function": name} for name in FILTERS]}],
    }


class _Loader(yaml.SafeLoader):
    """Reads lm-eval's `!function` as text: the function itself is loaded by lm-eval."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def read_setting(path: Path, name: str) -> Any:
    """Return a setting of an lm-eval task file, or of one that it includes; None if none has it."""
    config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    if name in config or "include" not in config:
        return config.get(name)
    return read_setting(path.parent / config["include"], name)


def _task_file(path: Path) -> tuple[OwnTask | None, list[str]]:
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        return None, [f"{path} is not YAML: {error}"]
    if not isinstance(config, dict) or not isinstance(config.get("task"), str):
        return None, [f"{path} is no task of lm-eval's: it has no `task: NAME` (a group is not taken)"]
    kwargs = dict(config.get("dataset_kwargs") or {})
    files, problems = _data_files(path, kwargs.get("data_files"))
    if problems:
        return None, problems
    pointed = {"include": str(path.resolve()), "task": config["task"]}
    if files is not None:
        pointed["dataset_kwargs"] = kwargs | {"data_files": files}
    return OwnTask(config["task"], pointed, _sha256(path, files)), []


def _data_files(path: Path, named: Any) -> tuple[Any, list[str]]:
    """Return `data_files` with paths that hold from anywhere: lm-eval itself takes them from where it is started."""
    splits = {"": named} if isinstance(named, str) else named
    if splits is None:
        return None, []
    if not isinstance(splits, dict) or not all(isinstance(value, str) for value in splits.values()):
        return None, [f"{path}: data_files must be one file, or a file a split"]
    whole = {split: str((path.parent / value).resolve()) for split, value in splits.items() if "://" not in value}
    missing = [file for file in whole.values() if not Path(file).is_file()]
    found = {split: whole.get(split, value) for split, value in splits.items()}
    return found.get("", found), [f"{path}: {file} is no file" for file in missing]


def _sha256(path: Path, files: Any) -> str:
    """Hash the task file, what it may include or call beside it, and its data."""
    data = [files] if isinstance(files, str) else list((files or {}).values())
    beside = [
        one for one in path.parent.iterdir() if one.suffix in {".py", ".yaml", ".yml"} or one.name.endswith("_yaml")
    ]
    digest = hashlib.sha256()
    for one in sorted({*map(str, beside), *data}):
        if Path(one).is_file():
            digest.update(Path(one).name.encode() + hashlib.sha256(Path(one).read_bytes()).digest())
    return digest.hexdigest()

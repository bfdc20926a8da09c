"""What would go wrong in the middle of a run, found before any model is loaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import Problems
from ..estimate import LeftOut
from ..subject import Subject
from .definitions import Defined, Definitions
from .harness import Asked, Task, build_task, find_cut, requests_of, work_of
from .own import read_setting

INSTALL = 'pip install "prefloop[tasks]"'
PACKAGES = {
    "leaderboard_ifeval": ("langdetect", "immutabledict", "nltk"),
    "leaderboard_math_": ("sympy", "math_verify", "antlr4"),
}
"""By the beginning of a task's name: what lm-eval imports for it, some of it only after all the generation."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A task that can be asked."""

    task: Task
    work: int
    """About how much asking it of one model is, in scored answers."""
    cut: LeftOut | None
    """Prompts whose beginning the model won't see."""


def check_packages(definitions: Definitions) -> list[str]:
    """Return what the chosen tasks need and this machine lacks: packages, and NLTK's data."""
    names = [defined.task for defined in definitions.tasks]
    found = []
    for start, packages in PACKAGES.items():
        if any(name.startswith(start) for name in names):
            lacking = [package for package in packages if find_spec(package) is None]
            if lacking:
                found.append(f"{start.rstrip('_')} needs {', '.join(lacking)}: {INSTALL}")
    if any(name.startswith("leaderboard_ifeval") for name in names) and find_spec("nltk") and not _has_punkt():
        found.append(
            "leaderboard_ifeval needs NLTK's punkt_tab, which 77 of its 834 instructions are checked with: "
            "python -c \"import nltk; nltk.download('punkt_tab')\", or copy the folder tokenizers/punkt_tab from a "
            "machine that has it and name the folder around it in NLTK_DATA"
        )
    return found


def _has_punkt() -> bool:
    from nltk.tokenize.punkt import PunktTokenizer

    try:
        return len(list(PunktTokenizer("english").tokenize("One sentence. Another one."))) > 0
    except LookupError:
        return False


def make_ready(definitions: Definitions, owed: list[Defined], models: Subject, asked: Asked) -> dict[str, Ready]:
    """Build the tasks that are still owed, with their data, and look at every prompt.

    Args:
        definitions: All that is run.
        owed: Those of its tasks that some model has not been asked yet.
        models: Who is asked; only the tokenizer and the config are read.
        asked: How.

    Raises:
        Problems: packages, data or room for an answer are missing; everything at once.
    """
    problems = check_packages(definitions)
    if asked.apply_chat_template and models.chat_template is None:
        problems.append(f"{models.tokenizer_folder} has no chat template: leave --chat-template away")
    if problems:
        raise Problems("these tasks can't be run here", problems)
    tokenizer: Any = models.tokenizer
    found: dict[str, Ready] = {}
    for defined in owed:
        try:
            task = build_task(defined.file)
            found[defined.task] = _ready(task, asked, tokenizer, models.context)
        except _NoRoom as error:
            problems.append(f"{defined.task} {error}")
        except Exception as error:  # whatever lm-eval, datasets or the user's own task raise is for the user to read
            problems += _unbuilt(defined, error)
    if problems:
        raise Problems("these tasks can't be run", problems)
    return found


class _NoRoom(Exception):
    """The task lets the model write more than it can read."""


def _ready(task: Task, asked: Asked, tokenizer: Any, context: int) -> Ready:
    requests = requests_of(task, asked, tokenizer)
    cut = find_cut(requests, tokenizer, context)
    if cut.no_room is not None:
        raise _NoRoom(f"lets the model write {cut.no_room} tokens, but its context is {context}: leave it out")
    name = task.config.task
    reason = f"prompts of {name} whose beginning was cut off: longer than the context of {context} tokens"
    return Ready(task, work_of(requests), LeftOut(reason, cut.ids) if cut.ids else None)


def _unbuilt(defined: Defined, error: Exception) -> Iterator[str]:
    said = str(error).strip().split("\n")[0] or "no reason given"
    remote = read_setting(defined.file, "dataset_path") != "json"
    where = "; with no network, put the data into a folder and name it with --data-dir" * remote
    yield f"{defined.task}: {type(error).__name__}: {said[:300]}{where}"


def data_revision(file: Path) -> str:
    """Return which revision of the Hub's data a task would read, as far as this machine has them; else nothing."""
    name = read_setting(file, "dataset_path")
    if name == "json":
        return ""
    from huggingface_hub.constants import HF_HUB_CACHE

    ref = Path(HF_HUB_CACHE) / f"datasets--{str(name).replace('/', '--')}" / "refs" / "main"
    return ref.read_text(encoding="utf-8").strip() if ref.exists() else ""

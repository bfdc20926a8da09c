"""A project for one's own task: recipe, guidelines to fill in, and example items, from a handful of answers."""

import json
import os
import re
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

import yaml

from .collect import Item, read_items, write_rows
from .errors import Problems, UserError
from .models import SMALL_MODEL
from .recipe import check_recipe
from .runs import write_text

Kind = Literal["pairwise", "graded", "ranking"]
KINDS: dict[Kind, str] = {
    "pairwise": "which of two answers is better",
    "graded": "which of two answers is better, and how much",
    "ranking": "the order of three or more answers",
}
FORMS: dict[Kind, str] = {
    "pairwise": "    kind: pairwise",
    "graded": "    kind: pairwise\n    strength: true  # in four levels, from negligibly to significantly better",
    "ranking": "    kind: ranking\n    candidates: $candidates  # every item has so many answers",
}
SEEN: dict[Kind, str] = {
    "pairwise": "A prompt and two candidate answers. Choose the one you would rather give.",
    "graded": "A prompt and two candidate answers. Choose the one you would rather give, and say by how much.",
    "ranking": "A prompt and $candidates candidate answers. Put them in order, the one you would rather give first.",
}
UNDECIDED: dict[Kind, str] = {
    "pairwise": "- **Equally good**: both would do, or you would have to search for a difference.\n"
    "- **Both are bad**: you would give neither.",
    "graded": "- **Equally good**: both would do. “Negligibly better” is for what you see but don't mind.\n"
    "- **Both are bad**: you would give neither.",
    "ranking": "- **The same rank** for answers between which you would have to search for a difference.",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a project is made from."""

    task: str
    """The job, in a sentence."""
    kind: Kind = "pairwise"
    base_model: str = SMALL_MODEL
    votes: int = 3
    """Votes per item."""
    items: Path | None = None
    """One's own items; None writes examples."""


def refuse_to_overwrite(folder: Path) -> None:
    """Raise Problems where the folder has one of a project's files."""
    there = [name for name in ("recipe.yaml", "guidelines.md", "items.jsonl") if (folder / name).exists()]
    if there:
        raise Problems(
            f"{folder.resolve()} has a project already, and nothing was written; name another folder, or remove",
            there,
        )


def scaffold(folder: Path, answers: Answers) -> list[Path]:
    """Write recipe.yaml, guidelines.md and, unless there are items, items.jsonl; return what was written.

    Everything is checked before anything is written, and no file is ever overwritten.

    Raises:
        UserError: the items can't be read, or don't fit the kind of question.
        Problems: files that are there already, or everything that is wrong with the answers or the items.
    """
    refuse_to_overwrite(folder)
    items = read_items(answers.items) if answers.items else _examples(answers.kind)
    words = _words(folder, answers, _candidates(items, answers))
    recipe = _filled("recipe", words)
    check_recipe(yaml.safe_load(recipe), name="the new recipe", folder=folder)
    written = [] if answers.items else [write_rows(folder / "items.jsonl", items)]
    written.append(write_text(folder / "guidelines.md", _filled("guidelines", words)))
    return [*written, write_text(folder / "recipe.yaml", recipe)]


def _words(folder: Path, answers: Answers, candidates: int) -> dict[str, str]:
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "project"
    items = Path(os.path.relpath(answers.items, folder)) if answers.items else Path("items.jsonl")
    own = {"candidates": str(candidates)}
    return {
        "name": _scalar(name),
        "queue": _scalar(name),
        "title": answers.task.rstrip("."),
        "task": _scalar(answers.task),
        "items": _scalar(items.as_posix()),
        "votes": str(answers.votes),
        "base_model": _scalar(answers.base_model),
        "form": Template(FORMS[answers.kind]).substitute(own),
        "seen": Template(SEEN[answers.kind]).substitute(own),
        "undecided": UNDECIDED[answers.kind],
    }


def _scalar(text: str) -> str:
    """Write a text as a YAML value that is read as the same text, plainly where that works."""
    plain = text.strip() == text and "\n" not in text and " #" not in text
    try:
        same = plain and yaml.safe_load(f"a: {text}") == {"a": text}
    except yaml.YAMLError:
        same = False
    return text if same else json.dumps(text, ensure_ascii=False)


def _filled(name: str, words: dict[str, str]) -> str:
    template = (files("prefloop.recipes") / "init" / f"{name}.template").read_text(encoding="utf-8")
    if name == "guidelines":
        words = words | {"task": yaml.safe_load(words["task"])}
    return Template(template).substitute(words)


def _examples(kind: Kind) -> list[Item]:
    from importlib.resources import as_file

    with as_file(files("prefloop.recipes") / "init" / "items.jsonl") as path:
        items = read_items(path)
    return items if kind == "ranking" else [replace(item, more=()) for item in items]


def _candidates(items: list[Item], answers: Answers) -> int:
    """Return how many answers each item has. Raises UserError where that differs, or does not fit the question."""
    counts = sorted({len(item.candidates) for item in items})
    if len(counts) != 1:
        found = ", ".join(map(str, counts)) or "no items"
        raise UserError(f"the items of {answers.items} must all have the same number of answers; they have {found}")
    if (counts[0] > 2) != (answers.kind == "ranking"):
        fits = "ranking" if counts[0] > 2 else "pairwise or graded"
        raise UserError(f"the items of {answers.items} have {counts[0]} answers each: that is for {fits}")
    return counts[0]

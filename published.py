"""The recipes that ship with prefloop: published DPO trainings, translated; each says in its head where it is from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from .errors import Problems, UserError
from .recipe import Recipe, load_recipe
from .runs import write_text

HEAD = ("What", "Source", "Hardware", "Translated", "Differs", "Run")
"""What the comment at the head of each says, in this order."""


@dataclass(frozen=True, slots=True)
class Published:
    """A shipped recipe."""

    name: str
    recipe: Recipe
    head: dict[str, str]
    """The comment's sections, by the words of HEAD."""
    text: str
    """The file."""

    @property
    def source(self) -> str:
        """The address of the file that the numbers are from."""
        found = re.search(r"https://\S+", self.head["Source"])
        return found.group() if found else self.head["Source"]


def published_recipes() -> list[Published]:
    """Return all of them, by name."""
    return [_read(path) for path in sorted(_folder().glob("*.yaml"))]


def published_recipe(name: str) -> Published:
    """Return one. Raises UserError where there is none of that name."""
    path = _folder() / f"{name}.yaml"
    if path.parent != _folder() or not path.is_file():
        names = sorted(path.stem for path in _folder().glob("*.yaml"))
        near = get_close_matches(name, names, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise UserError(f"no recipe {name!r} ships with prefloop; {there}")
    return _read(path)


def copy_published(name: str, folder: Path) -> list[Path]:
    """Write recipe.yaml, and the guidelines it names, to a folder; return what was written.

    Raises:
        UserError: there is no such recipe.
        Problems: files that are there already; nothing was written.
    """
    recipe = published_recipe(name)
    texts = {"recipe.yaml": recipe.text, "guidelines.md": (_folder() / "guidelines.md").read_text(encoding="utf-8")}
    if there := [file for file in texts if (folder / file).exists()]:
        raise Problems(f"{folder.resolve()} has these already, and nothing was written; name another folder", there)
    return [write_text(folder / file, text) for file, text in texts.items()]


def _folder() -> Path:
    return Path(str(files("prefloop.recipes"))) / "published"


def _read(path: Path) -> Published:
    text = path.read_text(encoding="utf-8")
    return Published(path.stem, load_recipe(path), _head(text.splitlines()), text)


def _head(lines: Sequence[str]) -> dict[str, str]:
    """Read the comment that a recipe opens with: `# Word: text`, continued on lines that are indented."""
    head: dict[str, str] = {}
    word = ""
    for line in lines:
        if not line.startswith("#"):
            break
        opened = re.match(r"# (\w+): (.*)", line)
        if opened:
            word = opened[1]
            head[word] = opened[2]
        else:
            head[word] += ("\n" if word == "Run" else " ") + line.lstrip("# ").rstrip()
    return head

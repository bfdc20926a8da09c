"""What became of each key, and all of them together."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..errors import UserError
from ..train import TrainSettings


class Fate(StrEnum):
    """What became of a key."""

    kept = "kept"
    """The same name, the same value."""
    renamed = "renamed"
    """Another name here, or another value, or one of several keys that make one setting."""
    added = "added"
    """Not in the file: what its own tool would have taken, where prefloop's default is another."""
    dead = "dead"
    """TRL 1.16 has no such key any more, or reads it no more."""
    ours = "prefloop's"
    """Dropped: prefloop decides it, and what is learned stays the same."""
    lost = "lost"
    """Dropped although it changes what is learned: prefloop can't do it."""
    unknown = "unknown"
    """Nobody's key: a typo, or another tool's."""


REFUSED = {Fate.lost, Fate.unknown}
"""The fates with which a translation is not written unless asked for."""


@dataclass(frozen=True, slots=True)
class Note:
    """One key of the file."""

    key: str
    value: Any
    fate: Fate
    becomes: str = ""
    """The setting and its value here, such as `train.epochs: 1`; empty where nothing is left of it."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """A recipe, and how it came about."""

    recipe: dict[str, Any]
    notes: tuple[Note, ...]
    """Every key of the file, in its order, then what was added."""
    warnings: tuple[str, ...]
    """What the same numbers mean differently here."""
    commands: tuple[str, ...]
    """How to get the data and train."""

    @property
    def refused(self) -> tuple[Note, ...]:
        """The keys that stand in the way."""
        return tuple(note for note in self.notes if note.fate in REFUSED)


@dataclass(slots=True)
class Work:
    """A translation under way: keys are taken out of `left` one by one, each with a note."""

    left: dict[str, Any]
    gpus: int
    train: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, key: str, default: Any = None) -> Any:
        """Take a key's value out; the caller writes its note."""
        return number(self.left.pop(key, default))

    def take_number(self, key: str, default: float | None = None) -> float | None:
        """Take a number out. Raises UserError where it is something else."""
        value = self.take(key, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UserError(f"{key} must be a number, got {value!r}; a recipe can't leave it to the launcher")
        return value

    def note(self, key: str, value: Any, fate: Fate, becomes: str = "", why: str = "") -> None:
        """Say what became of a key."""
        self.notes.append(Note(key, value, fate, becomes, why))

    def put(self, key: str, value: Any, setting: str, new: Any, why: str = "") -> None:
        """Set a training setting from a key, as kept or renamed; a default is not written."""
        self.train[setting] = new
        same = key == setting and value == new
        self.note(key, value, Fate.kept if same else Fate.renamed, f"train.{setting}: {shown(new)}", why)

    def add(self, key: str, setting: str, new: Any, why: str) -> None:
        """Set a training setting that the file leaves to its own tool's default."""
        if TrainSettings.model_fields[setting].default != new:
            self.train[setting] = new
            self.note(key, None, Fate.added, f"train.{setting}: {shown(new)}", why)


def number(value: Any) -> Any:
    """Read `5e-7`, which YAML takes for text, as the number that Hugging Face's parsers take it for."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def shown(value: Any) -> str:
    """Write a value as one would in YAML, on one line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(inner) for inner in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""What became of each key, and all of them together."""

from collections.abc import Sequence
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


HEADINGS = {
    Fate.kept: "Kept",
    Fate.renamed: "Renamed, or made into another value",
    Fate.added: "Added: the file leaves it to its own tool",
    Fate.dead: "Dropped: dead in TRL 1.16",
    Fate.ours: "Dropped: prefloop decides it, or it is a default",
    Fate.lost: "LOST: it changes what is learned, and can't be had here",
    Fate.unknown: "NOT UNDERSTOOD",
}


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


def in_words(notes: Sequence[Note]) -> list[str]:
    """Write notes for people: by fate, what is left out for one reason on one line."""
    lines = []
    for fate, heading in HEADINGS.items():
        of_fate = [note for note in notes if note.fate is fate]
        if of_fate:
            lines += ["", f"{heading} ({len(of_fate)})"]
        if fate in {Fate.ours, Fate.dead}:
            reasons = dict.fromkeys(note.why for note in of_fate)
            lines += [f"  {', '.join(note.key for note in of_fate if note.why == why)}: {why}" for why in reasons]
        else:
            lines += [f"  {_line(note)}" for note in of_fate]
    return lines[1:]


def _line(note: Note) -> str:
    mixture = isinstance(note.value, dict) or (isinstance(note.value, list) and any(map(_is_mapping, note.value)))
    given = note.key if note.value is None or mixture else f"{note.key}: {shown(note.value)}"
    becomes = f" -> {note.becomes}" if note.becomes and note.fate is not Fate.kept else ""
    return f"{given}{becomes}{f'  ({note.why})' if note.why else ''}"


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


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
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(inner) for inner in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""Items, votes and pairs as JSON lines, checked on the way in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..errors import Problems, UserError
from ..runs import write_text
from .item import Item
from .pair import PreferencePair
from .vote import Vote

Row = TypeVar("Row", Item, Vote, PreferencePair)
SHOWN = 20
"""How many problems of one file are shown; the rest are counted."""


def read_items(path: Path) -> list[Item]:
    """Read items, one JSON object a line.

    Raises:
        UserError: the file can't be read.
        Problems: lines that are no items, and items that stand there twice.
    """
    items = _read(path, Item)
    first: dict[str, int] = {}
    again = [
        f"line {line}: the same item as line {first[item.id]}"
        for line, item in enumerate(items, 1)
        if first.setdefault(item.id, line) != line
    ]
    if again:
        raise Problems(f"{path} has items twice", _shown(again))
    return items


def read_votes(path: Path) -> list[Vote]:
    """Read votes, one JSON object a line. Raises as `read_items`."""
    return _read(path, Vote)


def read_pairs(path: Path) -> list[PreferencePair]:
    """Read preference pairs, one JSON object a line. Raises as `read_items`."""
    return _read(path, PreferencePair)


def write_rows(path: Path, rows: Sequence[Item] | Sequence[Vote] | Sequence[PreferencePair]) -> Path:
    """Write rows as JSON lines, whole or not at all; the same rows always give the same bytes."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(rows[0])) if rows else TypeAdapter(object)
    return write_text(path, "".join(adapter.dump_json(row).decode() + "\n" for row in rows))


def _read(path: Path, kind: type[Row]) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    adapter, rows, problems = TypeAdapter(kind), list[Row](), list[str]()
    # Split at newlines only: str.splitlines also cuts at U+2028 and friends, which JSON strings may hold.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(adapter.validate_json(line))
        except ValidationError as error:
            problems.extend(f"line {number}: {_sentence(problem)}" for problem in error.errors())
    if problems:
        raise Problems(f"{path} is not a file of {kind.__name__} rows", _shown(problems))
    return rows


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the line"
    return f"{where}: {problem['msg']}, got {str(problem['input'])[:60]!r}"


def _shown(problems: list[str]) -> list[str]:
    rest = len(problems) - SHOWN
    return problems[:SHOWN] + ([f"and {rest} more"] if rest > 0 else [])

"""JSON lines of FastChat's files, plain or gzipped, every wrong one named."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ...errors import Problems, UserError

Row = TypeVar("Row", bound=BaseModel)


def read_rows(path: Path, row: type[Row], what: str) -> Iterator[tuple[int, Row]]:
    """Yield the number of each line that isn't empty, from 1, and what it holds.

    Args:
        path: A file of JSON lines; gzipped if its name ends in `.gz`.
        row: What a line has to be.
        what: What the lines are, for messages: "questions".

    Raises:
        UserError: the file can't be read, or holds nothing.
        Problems: lines that are something else.
    """
    problems, rows = [], []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append((number, row.model_validate_json(line)))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            problems.append(f"line {number}: {place + ': ' if place else ''}{first['msg']}")
    if problems:
        raise Problems(f"{path} holds lines that are no {what}", problems)
    if not rows:
        raise UserError(f"{path} holds no {what}")
    yield from rows


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text") from error

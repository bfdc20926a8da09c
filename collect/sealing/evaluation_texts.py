"""Evaluation data as texts: every text of every row of a file, whatever its columns are called."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import Problems, UserError
from .sealed import read_sealed

BOILERPLATE = 2
"""A text that stands in more rows of a file than this is a label or a form of words, not a question."""


@dataclass(frozen=True, slots=True)
class EvaluationText:
    """One text of the evaluation data."""

    file: str
    row: str
    """The row's number from 1, without blank lines and CSV's header; a prompt id where it is a sealed set."""
    text: str


def read_evaluation_texts(path: Path) -> list[EvaluationText]:
    """Read the texts of a JSON, JSON-lines, CSV or text file (a line a row), gzipped or not, by its name's ending.

    Of a `sealed.json` of another run it is the texts of the sealed prompts.

    Raises:
        UserError: the file can't be read or has another form.
        Problems: lines that are not JSON.
    """
    text = _content(path)
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind == ".json" and path.name == "sealed.json":
        return [
            EvaluationText(str(path), prompt_id, text)
            for prompt_id, placed in read_sealed(path).prompts.items()
            if placed.side == "sealed"
            for text in placed.texts
        ]
    return texts_of_rows(str(path), {str(number): row for number, row in enumerate(_rows(path, kind, text), 1)})


def texts_of_rows(name: str, rows: Mapping[str, Any]) -> list[EvaluationText]:
    """Return every text that stands in rows (by their id) of JSON-like values, without labels and forms of words."""
    found = {row: list(dict.fromkeys(_strings(value))) for row, value in rows.items()}
    times = Counter(one for texts in found.values() for one in texts)
    return [
        EvaluationText(name, row, one) for row, texts in found.items() for one in texts if times[one] <= BOILERPLATE
    ]


def _content(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"the evaluation texts in {path} can't be read: {error}") from error


def _rows(path: Path, kind: str, text: str) -> Sequence[Any]:
    if kind in (".jsonl", ".ndjson"):
        return _lines(path, text)
    if kind == ".json":
        try:
            return _list(json.loads(text))
        except json.JSONDecodeError as error:
            raise UserError(f"{path} is not JSON (line {error.lineno}): {error.msg}") from error
    if kind in (".csv", ".tsv"):
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if kind == ".tsv" else ","))
    if kind in (".txt", ".md"):
        return [line for line in text.split("\n") if line.strip()]
    raise UserError(f"{path}: evaluation texts are read from .jsonl, .json, .csv, .tsv and .txt, gzipped or not")


def _lines(path: Path, text: str) -> list[Any]:
    rows, problems = [], []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: {error.msg}")
    if problems:
        raise Problems(f"{path} has lines that are not JSON", problems)
    return rows


def _list(value: Any) -> Sequence[Any]:
    """Return the rows of a JSON file: it is a list, or has one (`examples` of BIG-Bench Hard)."""
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        return max(lists, key=len) if lists else [value]
    return value if isinstance(value, list) else [value]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)

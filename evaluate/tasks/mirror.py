"""A local folder instead of the Hub: its files found, read, checked, and rewritten for lm-eval's own task files."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...collect.item import content_hash
from ...runs import write_lines
from .catalogue import Chosen, Source, part_of
from .shapes import CONVERT, Row

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
SHOWN = 3
"""Bad rows of one file that are told about; of more, only the number is."""


@dataclass(frozen=True, slots=True)
class Data:
    """One task's data, as lm-eval is going to read them."""

    sha256: str
    """Over the questions' and the examples' rows."""
    rows: int
    files: dict[str, str]
    """By split: the file that was written."""
    examples: int
    """Rows that worked examples can be drawn from."""
    read_from: tuple[str, ...]
    """The mirror's own files."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a mirror has of one benchmark."""

    data: Mapping[str, Data]
    """By lm-eval's name of the task."""
    missing: tuple[str, ...]
    """Parts of the benchmark that it has no file for."""
    problems: tuple[str, ...]


def read_mirror(folder: Path, chosen: Chosen, into: Path) -> Mirrored:
    """Read what the mirror has of a benchmark, and write it into a folder in the form that lm-eval's tasks expect.

    A benchmark of which the mirror has no part at all is a problem; parts that it lacks are named, for the score to be
    labelled by.
    """
    source, here = chosen.source, folder / chosen.source.name
    if not here.is_dir():
        return Mirrored({}, (), (f"{source.name}: {here} is no folder",))
    pool, problems = _pool(source, here)
    if source.by_subject:
        tables, missing, more = _by_subject(chosen, here)
    else:
        tables, missing, more = _by_file(chosen, here)
    problems += more
    if not tables and not problems:
        problems.append(f"{source.name}: {here} holds none of {_expected(source)}")
    data = {} if problems else {task: _write(task, source, table, pool, into) for task, table in tables.items()}
    return Mirrored(data, tuple(missing), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Table:
    rows: list[Row]
    files: tuple[str, ...]


def _by_file(chosen: Chosen, here: Path) -> tuple[dict[str, _Table], list[str], list[str]]:
    tables, missing, problems = {}, [], []
    for subtask in chosen.benchmark.subtasks:
        part = part_of(chosen.source, subtask.task)
        starts = tuple(each.format(part=name) for each in chosen.source.questions for name in _spellings(part))
        table, wrong = _table(chosen.source, _files(here, starts, chosen.source.pool))
        problems += wrong
        if table.rows:
            tables[subtask.task] = table
        elif not wrong:
            missing.append(subtask.task)
    return tables, missing, problems


def _by_subject(chosen: Chosen, here: Path) -> tuple[dict[str, _Table], list[str], list[str]]:
    table, problems = _table(chosen.source, _files(here, chosen.source.questions, chosen.source.pool))
    wanted = {subtask.task for subtask in chosen.benchmark.subtasks}
    tables: dict[str, _Table] = {}
    for row in table.rows:
        task = chosen.source.prefix + row["subject"]
        if task in wanted:
            tables.setdefault(task, _Table([], table.files)).rows.append(row)
    unknown = sorted({row["subject"] for row in table.rows} - {part_of(chosen.source, each) for each in _all(chosen)})
    if unknown:
        problems.append(f"{chosen.source.name}: {', '.join(table.files)}: no such subject: {', '.join(unknown[:5])}")
    return tables, sorted(wanted - tables.keys()), problems


def _all(chosen: Chosen) -> list[str]:
    return [subtask.task for subtask in chosen.whole.subtasks]


def _spellings(part: str) -> tuple[str, ...]:
    """Return a part's names in lm-eval, on the Hub and in its authors' files."""
    more = {
        "murder_mysteries": "murder_mystery", "counting_and_prob": "counting_and_probability",
        "num_theory": "number_theory",
    }  # fmt: skip
    return (part, more[part]) if part in more else (part,)


def _files(here: Path, starts: Sequence[str], pool: str | None) -> list[Path]:
    """Return the files that begin with one of the names; the first name that has any is taken."""
    files = sorted(path for path in here.iterdir() if path.suffix in SUFFIXES)
    for start in starts:
        found = [path for path in files if _begins(path.stem, start) and not (pool and _begins(path.stem, pool))]
        if found:
            return found
    return []


def _begins(stem: str, start: str) -> bool:
    return stem == start or stem.startswith((f"{start}_", f"{start}-"))


def _pool(source: Source, here: Path) -> tuple[_Table, list[str]]:
    if source.pool is None:
        return _Table([], ()), []
    return _table(source, _files(here, (source.pool,), None))


def _table(source: Source, files: Sequence[Path]) -> tuple[_Table, list[str]]:
    """Read and convert the rows of files; with problems there is no row."""
    rows: list[Row] = []
    problems: list[str] = []
    for path in files:
        wrong = []
        try:
            for number, row in enumerate(read_rows(path), 1):
                try:
                    rows.append(CONVERT[source.name](row))
                except ValueError as error:
                    wrong.append(f"{source.name}: {path}, row {number}: {_first(error)}")
        except (OSError, ValueError) as error:
            wrong.append(f"{source.name}: {path}: {error}")
        problems += wrong[:SHOWN]
        if len(wrong) > SHOWN:
            problems.append(f"{source.name}: {path}: {len(wrong) - SHOWN} more such rows")
    return _Table([] if problems else rows, tuple(str(path) for path in files)), problems


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .json (a list, or BIG-Bench-Hard's {"examples": [...]}), .csv or .parquet file.

    Raises:
        ValueError: it holds something else.
    """
    if path.suffix == ".parquet":
        import pyarrow.parquet

        yield from pyarrow.parquet.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)
    elif path.suffix == ".json":
        value = json.loads(path.read_text(encoding="utf-8"))
        rows = value.get("examples") if isinstance(value, dict) else value
        if not isinstance(rows, list):
            raise ValueError('a list of rows is needed, or an object with a list under "examples"')
        yield from (_object(row, number) for number, row in enumerate(rows, 1))
    else:
        lines = path.read_text(encoding="utf-8").split("\n")
        yield from (_object(json.loads(line), number) for number, line in enumerate(lines, 1) if line.strip())


def _object(value: Any, number: int) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"row {number} is no object with names and values")
    return value


def _write(task: str, source: Source, table: _Table, pool: _Table, into: Path) -> Data:
    part = part_of(source, task)
    examples = [row for row in pool.rows if not source.by_subject or row["subject"] == part]
    sha256 = content_hash([table.rows, examples])
    names = {source.split.format(part=part): table.rows}
    if source.pool_split is not None and examples:
        names[source.pool_split] = examples
    files = {split: _once(into / f"{task}.{split}.{sha256[:16]}.jsonl", rows) for split, rows in names.items()}
    return Data(sha256, len(table.rows), files, len(examples), (*table.files, *pool.files))


def _once(path: Path, rows: Sequence[Row]) -> str:
    if not path.exists():
        write_lines(path, rows)
    return str(path.resolve())


def _expected(source: Source) -> str:
    starts = ", ".join(f"{start.replace('{part}', 'PART')}*" for start in source.questions)
    return f"{starts} as {', '.join(SUFFIXES)}"

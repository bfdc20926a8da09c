"""Rows out of files: JSON lines, JSON, CSV and Parquet (also gzipped), and any `datasets` data set."""

import csv
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from .imported import Options, Rows, Unreadable

FORMATS = (".jsonl", ".json", ".csv", ".parquet")
NOT_JSON = "the line is not JSON"


def read_rows(place: str, options: Options) -> Rows:
    """Read all rows of a file, a `datasets` folder, or (by name) a data set of the Hub.

    Raises:
        UserError: there is nothing to read there, or it is of no known form.
    """
    path = Path(place).expanduser()
    if not path.exists() and path.suffix.lower() in (*FORMATS, ".gz"):  # a file's name, not a data set's
        raise UserError(f"{place} does not exist")
    if path.is_dir() or not path.exists():
        return _data_set(place, path, options)
    kind = _format(path)
    if kind == ".parquet":
        return _cut(list(_parquet(path)), {path.name: _digest(path.read_bytes())}, options)
    data = _bytes(path)
    readers = {".jsonl": _lines, ".json": _array, ".csv": _csv}
    # The hash is of the file as it lies there, packed or not.
    return _cut(list(readers[kind](path, data)), {path.name: _digest(path.read_bytes())}, options)


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if not suffixes or suffixes[-1] not in FORMATS:
        raise UserError(f"{path} has no form that can be read; it must end in one of {', '.join(FORMATS)} (or .gz)")
    return suffixes[-1]


def _cut(rows: list[object], files: dict[str, str], options: Options, revision: str | None = None) -> Rows:
    kept = rows if options.limit is None else rows[: options.limit]
    return Rows([(str(number), row) for number, row in enumerate(kept)], files, revision)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix.lower() == ".gz" else data
    except (OSError, EOFError) as error:
        raise UserError(f"{path} can't be read: {error}") from error


def _lines(path: Path, data: bytes) -> Iterator[object]:
    # Split at newlines only: a JSON string may hold U+2028 and friends.
    return (_json(line) for line in data.split(b"\n") if line.strip())


def _json(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
        return Unreadable(NOT_JSON)


def _array(path: Path, data: bytes) -> Iterator[object]:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}); is it JSON lines? Then it must end in .jsonl") from error
    if not isinstance(rows, list):
        raise UserError(f"{path} must hold a JSON array of rows, it holds {type(rows).__name__}")
    return iter(rows)


def _csv(path: Path, data: bytes) -> Iterator[object]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); convert it first") from error
    before = csv.field_size_limit(sys.maxsize)  # the module's own limit, 128 KiB a field, is for all readers at once
    try:
        yield from _csv_rows(csv.DictReader(io.StringIO(text, newline="")))
    finally:
        csv.field_size_limit(before)


def _csv_rows(reader: "csv.DictReader[str]") -> Iterator[object]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Unreadable(f"the row is not CSV: {error}")
            continue
        if None in row or None in row.values():
            yield Unreadable("the row has more or fewer fields than the header")
        else:  # an empty cell is how CSV says that there is no value
            yield {name: value for name, value in row.items() if value != ""}


def _parquet(path: Path) -> Iterator[object]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        yield from parquet.ParquetFile(path).read().to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} can't be read as Parquet: {error}") from error


def _data_set(place: str, path: Path, options: Options) -> Rows:
    import datasets

    try:
        data = _load(place, path, options)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        what = "is no data set" if path.exists() else "is neither a file here nor a data set that can be had"
        raise UserError(
            f"{place} {what}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    if isinstance(data, dict):
        if len(data) != 1:
            raise UserError(f"{place} has the splits {', '.join(data)}; choose one with --split")
        data = next(iter(data.values()))
    files = {
        str(file.relative_to(path)): _digest(file.read_bytes())
        for file in sorted(path.rglob("*"))
        if path.is_dir() and file.is_file()
    }
    count = len(data) if options.limit is None else min(options.limit, len(data))
    revision = None if path.exists() else f"fingerprint {data._fingerprint}"
    return _cut(list(data.select(range(count))), files, options, revision)


def _load(place: str, path: Path, options: Options) -> Any:
    import datasets

    if (path / "dataset_dict.json").exists():
        saved = datasets.load_from_disk(str(path))
        return saved.get(options.split, saved)
    if (path / "state.json").exists():
        return datasets.load_from_disk(str(path))
    return datasets.load_dataset(place, name=options.config, split=options.split, revision=options.revision)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

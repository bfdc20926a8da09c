"""A copy of what a queue holds, kept in the run folder and brought up to date by reading only what changed.

First the server is asked for everything since the newest change that the copy knows. Then count and sum of times of
each bucket of ids are compared: a bucket that still differs (something was deleted, a transaction was committed late, a
clock was set back) is read anew. So the copy is right whatever the clocks did; they only make it quick.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from ...runs import Progress, silent, write_text
from ..vote import Status
from .argilla import Argilla, Json
from .private import features

logger = logging.getLogger(__name__)

BUCKET_DIGITS = 2
"""Ids whose first hexadecimal digits are the same are one bucket; the server's number."""
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Record:
    """What is copied of a record; none of it ever changes."""

    id: str
    external_id: str | None
    inserted_at: str

    @property
    def time(self) -> str:
        """When it last changed."""
        return self.inserted_at


@dataclass(frozen=True, slots=True)
class Response:
    """One annotator's answer on one record, in Argilla's words."""

    id: str
    record_id: str
    user_id: str
    status: Status
    values: Json | None
    inserted_at: str
    """ISO 8601, UTC, from the server; so is the next."""
    updated_at: str

    @property
    def time(self) -> str:
        """When it last changed."""
        return self.updated_at


Row = TypeVar("Row", Record, Response)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A queue's records and responses by their ids."""

    records: dict[str, Record]
    responses: dict[str, Response]


@dataclass(frozen=True, slots=True)
class Reading:
    """A mirror that is up to date, and what that took."""

    mirror: Mirror
    responses_read: int
    """Responses that the server sent; all of them unless `incremental`."""
    incremental: bool | None
    """Whether only what had changed was read; None where the server can't tell what changed."""


def read_mirror(
    argilla: Argilla, dataset_id: str, file: Path | None, *, full: bool = False, progress: Progress = silent
) -> Reading:
    """Return what the queue holds now.

    A server with the feature `changes` is asked only for what `file` does not have, and `file` is written anew. Any
    other server is read as a whole.

    Args:
        argilla: connected as an owner.
        dataset_id: the queue's.
        file: where the copy lies, or will; None keeps none.
        full: read everything, whatever `file` has.
        progress: called with rows read and rows in all.

    Raises:
        UserError: the server can't be reached, or refuses.
    """
    if "changes" not in features(argilla):
        mirror = _scan(argilla, dataset_id, progress)
        return Reading(mirror, len(mirror.responses), incremental=None)
    old = Mirror({}, {}) if full or file is None else _load(file)
    path = f"/prefloop/datasets/{dataset_id}"
    # Responses first: none can then be of a record that was pushed after the records were read.
    responses, read = _update(argilla, f"{path}/responses", Response, old.responses, progress)
    records, _ = _update(argilla, f"{path}/records", Record, old.records, silent)
    mirror = Mirror(records, responses)
    if file is not None and mirror != old:
        _save(file, mirror)
    return Reading(mirror, read, incremental=bool(old.responses))


def _update(
    argilla: Argilla, path: str, kind: Callable[..., Row], old: Mapping[str, Row], progress: Progress
) -> tuple[dict[str, Row], int]:
    """Return the rows there are now and how many of them the server has sent."""
    if not old:
        total = sum(count for count, _ in argilla.call("GET", f"{path}/sums").values())
        everything = _read(argilla, path, {}, kind, progress, total)
        return everything, len(everything)
    changed = _read(argilla, path, {"since": max(map(attrgetter("time"), old.values()))}, kind)
    rows = {**old, **changed}
    there, here = argilla.call("GET", f"{path}/sums"), sums(rows.values())
    wrong = sorted(bucket for bucket in there.keys() | here if tuple(there.get(bucket, ())) != here.get(bucket, ()))
    if not wrong:
        return rows, len(changed)
    anew = _read(argilla, path, {"bucket": wrong}, kind)
    kept = {key: row for key, row in rows.items() if key[:BUCKET_DIGITS] not in set(wrong)}
    return {**kept, **anew}, len(changed) + len(anew)


def sums(rows: Iterable[Record] | Iterable[Response]) -> dict[str, tuple[int, int]]:
    """Return each bucket's number of rows and sum of times in microseconds since 1970, as the server's route does."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        count, total = found.get(row.id[:BUCKET_DIGITS], (0, 0))
        moment = (datetime.fromisoformat(row.time) - EPOCH) // MICROSECOND
        found[row.id[:BUCKET_DIGITS]] = (count + 1, total + moment)
    return found


def _read(
    argilla: Argilla,
    path: str,
    query: dict[str, Any],
    kind: Callable[..., Row],
    progress: Progress = silent,
    total: int = 0,
) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for line in argilla.lines(path, query):
        row = kind(*line)
        rows[row.id] = row
        progress(len(rows), max(total, len(rows)))
    return rows


def _scan(argilla: Argilla, dataset_id: str, progress: Progress) -> Mirror:
    mirror = Mirror({}, {})
    for row, total in argilla.records(dataset_id, responses=True):
        mirror.records[row["id"]] = Record(row["id"], row["external_id"], row["inserted_at"])
        for answer in row.get("responses") or []:
            mirror.responses[answer["id"]] = Response(**{name: answer[name] for name in Response.__slots__})
        progress(len(mirror.records), total)
    return mirror


def _load(file: Path) -> Mirror:
    mirror = Mirror({}, {})
    try:
        for line in file.read_bytes().splitlines():
            row = json.loads(line)
            if len(row) == len(Record.__slots__):
                mirror.records[row[0]] = Record(*row)
            else:
                mirror.responses[row[0]] = Response(*row)
    except FileNotFoundError:
        return mirror
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s can't be used (%s); reading the whole queue", file, error)
        return Mirror({}, {})
    return mirror


def _save(file: Path, mirror: Mirror) -> None:
    lines = [json.dumps([row.id, row.external_id, row.inserted_at]) for row in mirror.records.values()]
    lines += [
        json.dumps([row.id, row.record_id, row.user_id, row.status, row.values, row.inserted_at, row.updated_at])
        for row in mirror.responses.values()
    ]
    write_text(file, "".join(line + "\n" for line in lines))

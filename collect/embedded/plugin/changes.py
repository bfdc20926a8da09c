"""What a dataset holds, to be copied and kept up to date by reading only what is new.

Routes for the owner: a dataset's records or its responses as JSON lines, and their sums. A line is an array with
the id first and the time last: a record's insertion (nothing else of a record that is copied ever changes), a
response's last change. Lines can be asked for `since` a time, or for some buckets; a bucket is all ids with the same
first two hexadecimal digits. Sums are each bucket's count and sum of times: whoever has a copy sees by them which
buckets differ from it, for whatever reason (something deleted, a transaction that was committed late, a clock set
back), and reads those anew.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from argilla_server.models import Record, Response
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import ColumnElement, Select, String, cast, func, select

from .access import Owner
from .database import search_sessions
from .dialect import dialect

FEATURE = "changes"
BUCKET_DIGITS = 2
LINES = 1000
"""Read from the database at once."""

Since = Annotated[datetime | None, Query()]
Buckets = Annotated[tuple[str, ...], Query()]

router = APIRouter()


@router.get("/datasets/{dataset_id}/records")
async def records(_owner: Owner, dataset_id: UUID, since: Since = None, bucket: Buckets = ()) -> StreamingResponse:
    """Return [id, external id, inserted at] of each record, one a line."""
    found = select(Record.id, Record.external_id, Record.inserted_at).where(Record.dataset_id == dataset_id)
    return _stream(_only(found, Record.id, Record.inserted_at, since, bucket), _record_line)


@router.get("/datasets/{dataset_id}/records/digests")
async def record_digests(_owner: Owner, dataset_id: UUID) -> StreamingResponse:
    """Return [external id, digest of the fields] of each record, one a line."""
    found = select(Record.external_id, Record.fields).where(Record.dataset_id == dataset_id)
    return _stream(found, _digest_line)


@router.get("/datasets/{dataset_id}/responses")
async def responses(_owner: Owner, dataset_id: UUID, since: Since = None, bucket: Buckets = ()) -> StreamingResponse:
    """Return [id, record id, user id, status, values, inserted at, updated at] of each response, one a line."""
    found = (
        select(
            Response.id,
            Response.record_id,
            Response.user_id,
            Response.status,
            # As it is stored: JSON, in ASCII, on one line.
            cast(Response.values, String),
            Response.inserted_at,
            Response.updated_at,
        )
        .join(Record, Record.id == Response.record_id)
        .where(Record.dataset_id == dataset_id)
    )
    return _stream(_only(found, Response.id, Response.updated_at, since, bucket), _response_line)


@router.get("/datasets/{dataset_id}/records/sums")
async def record_sums(_owner: Owner, dataset_id: UUID) -> dict[str, tuple[int, int]]:
    """Return each bucket's number of records and sum of times in microseconds since 1970."""
    return await _sums(Record.id, Record.inserted_at, Record.dataset_id == dataset_id)


@router.get("/datasets/{dataset_id}/responses/sums")
async def response_sums(_owner: Owner, dataset_id: UUID) -> dict[str, tuple[int, int]]:
    """Return each bucket's number of responses and sum of times in microseconds since 1970."""
    of_dataset = Response.record_id.in_(select(Record.id).where(Record.dataset_id == dataset_id))
    return await _sums(Response.id, Response.updated_at, of_dataset)


def _only(
    found: Select[Any],
    key: ColumnElement[UUID],
    time: ColumnElement[datetime],
    since: datetime | None,
    buckets: Sequence[str],
) -> Select[Any]:
    if since is not None:
        found = found.where(time >= since)
    return found.where(_bucket(key).in_(buckets)) if buckets else found


def _bucket(key: ColumnElement[UUID]) -> ColumnElement[str]:
    return func.substr(cast(key, String), 1, BUCKET_DIGITS)


def _stream(found: Select[Any], line: Any) -> StreamingResponse:
    """Send the rows while they are read, by one statement: what they show is the database at one moment."""

    async def lines() -> AsyncIterator[str]:
        async with search_sessions() as session:
            rows = await session.stream(found.execution_options(yield_per=LINES))
            async for part in rows.partitions():
                yield "".join(line(*row) for row in part)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _record_line(key: UUID, external_id: str | None, inserted: datetime) -> str:
    return f'["{key}",{json.dumps(external_id)},"{inserted.isoformat()}"]\n'


def _digest_line(external_id: str | None, fields: dict[str, Any]) -> str:
    """A digest is SHA-256 of the fields as JSON with sorted keys and without spaces, in hexadecimal."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return f'[{json.dumps(external_id)},"{hashlib.sha256(text.encode()).hexdigest()}"]\n'


def _response_line(
    key: UUID, record: UUID, user: UUID, status: Any, values: str | None, inserted: datetime, updated: datetime
) -> str:
    times = f'"{inserted.isoformat()}","{updated.isoformat()}"'
    return f'["{key}","{record}","{user}","{status.value}",{values or "null"},{times}]\n'


async def _sums(
    key: ColumnElement[UUID], time: ColumnElement[datetime], of_dataset: ColumnElement[bool]
) -> dict[str, tuple[int, int]]:
    bucket = _bucket(key).label("bucket")
    found = select(bucket, func.count(), func.sum(dialect.microseconds(time))).where(of_dataset).group_by(bucket)
    async with search_sessions() as session:
        return {name: (count, int(total)) for name, count, total in await session.execute(found)}

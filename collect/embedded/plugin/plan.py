"""What the lead wants of a queue beyond Argilla's own settings, in tables of our own that no Argilla route shows.

A plan says which records come first, which are gold (and how often one is mixed in), who may answer which, and whether
overlap is exact. The gold answers stay with the lead: the server knows only that a record is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from argilla_server.enums import ResponseStatus
from argilla_server.errors.future import NotFoundError
from argilla_server.models import Dataset, Record, Response, User
from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from .access import Owner
from .database import search_sessions

FEATURE = "plan"
ROWS_AT_ONCE = 500

router = APIRouter()
tables = MetaData()


def _of(column: Any, **options: Any) -> Column[UUID]:
    """Return a column that names a row of Argilla's and goes with it."""
    return Column(f"{column.class_.__tablename__[:-1]}_id", Uuid(), ForeignKey(column, ondelete="CASCADE"), **options)


plans = Table(
    "prefloop_plans",
    tables,
    _of(Dataset.id, primary_key=True),
    Column("exact_overlap", Boolean, nullable=False),
    Column("lease_seconds", Integer, nullable=False),
    Column("gold_every", Integer, nullable=False),
    # Written to take the row's lock: who takes leases in a dataset does so one after the other.
    Column("turn", Integer, nullable=False, default=0),
)
planned = Table(
    "prefloop_planned",
    tables,
    _of(Record.id, primary_key=True),
    _of(Dataset.id, nullable=False),
    Column("priority", Integer),
    Column("gold", Boolean, nullable=False),
    Column("assigned", Boolean, nullable=False),
)
assignments = Table(
    "prefloop_assignments",
    tables,
    _of(Record.id, primary_key=True),
    Column("username", String, primary_key=True),
    _of(Dataset.id, nullable=False, index=True),
)
shown = Table(
    "prefloop_shown",
    tables,
    _of(Record.id, primary_key=True),
    _of(User.id, primary_key=True),
    _of(Dataset.id, nullable=False),
    Column("place", Integer, nullable=False),
    Column("until", Float, nullable=False),
)
"""Which record was put before whom, as that person's how-manieth, and until when (seconds since 1970) it is theirs."""

INDEXES = (
    "CREATE INDEX IF NOT EXISTS prefloop_queue ON records (dataset_id, status, id)",
    "CREATE INDEX IF NOT EXISTS prefloop_answered ON responses (user_id, record_id)",
    "CREATE INDEX IF NOT EXISTS prefloop_votes ON responses (record_id, status)",
    "CREATE INDEX IF NOT EXISTS prefloop_by_priority ON prefloop_planned (dataset_id, priority, record_id)",
    "CREATE INDEX IF NOT EXISTS prefloop_gold ON prefloop_planned (dataset_id, gold, record_id)",
    "CREATE INDEX IF NOT EXISTS prefloop_assigned ON prefloop_planned (dataset_id, assigned, record_id)",
    "CREATE INDEX IF NOT EXISTS prefloop_shown_to ON prefloop_shown (dataset_id, user_id, place)",
    "CREATE INDEX IF NOT EXISTS prefloop_held ON prefloop_shown (dataset_id, until)",
)
"""With these a queue of any size is counted and walked without reading a record's texts, and in time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A dataset's plan, without its records."""

    exact_overlap: bool
    lease_seconds: int
    gold_every: int


class PlannedRecord(BaseModel, extra="forbid"):
    """What the plan says of one record."""

    external_id: str
    priority: int | None = None
    """Smaller comes first; records without one come last."""
    gold: bool = False
    assigned_to: list[str] = []
    """Usernames; nobody else is shown the record. Empty means everybody."""


class PlanBody(BaseModel, extra="forbid"):
    """A whole plan; it takes the place of the one before."""

    exact_overlap: bool = False
    lease_minutes: float = Field(15, gt=0, le=24 * 60)
    gold_every: int = Field(0, ge=0)
    """One record in so many is gold, as long as there are any; 0 mixes none in."""
    records: list[PlannedRecord] = []


async def prepare(connection: AsyncConnection) -> None:
    """Create our tables and indexes where they are missing."""
    await connection.run_sync(tables.create_all)
    for index in INDEXES:
        await connection.execute(text(index))


async def plan_of(session: AsyncSession, dataset_id: UUID) -> Plan | None:
    """Return the dataset's plan, None where it has none."""
    columns = (plans.c.exact_overlap, plans.c.lease_seconds, plans.c.gold_every)
    row = (await session.execute(select(*columns).where(plans.c.dataset_id == dataset_id))).one_or_none()
    return Plan(*row) if row else None


@router.put("/datasets/{dataset_id}/plan")
async def put_plan(_owner: Owner, dataset_id: UUID, body: PlanBody) -> dict[str, Any]:
    """Set the plan; answer with what it names and the server does not know."""
    async with search_sessions() as session:
        await Dataset.get_or_raise(session, dataset_id)
        names = {name for record in body.records for name in record.assigned_to}
        known = set(await session.scalars(select(User.username).where(User.username.in_(names)))) if names else set()
        ids = await _record_ids(session, dataset_id)
        await _replace(session, dataset_id, body, ids)
        await session.commit()
    missing = [record.external_id for record in body.records if record.external_id not in ids]
    return {
        "records": len(body.records) - len(missing),
        "unknown_records": missing,
        "unknown_users": sorted(names - known),
    }


@router.get("/datasets/{dataset_id}/plan")
async def get_plan(_owner: Owner, dataset_id: UUID) -> dict[str, Any]:
    """Return the plan's settings and counts, and which records have more submitted answers than asked for."""
    async with search_sessions() as session:
        dataset = await Dataset.get_or_raise(session, dataset_id)
        plan = await plan_of(session, dataset_id)
        if plan is None:
            raise NotFoundError(f"Dataset with id `{dataset_id}` has no plan")
        counts = select(func.count(), func.count(planned.c.priority)).where(planned.c.dataset_id == dataset_id)
        records, prioritised = (await session.execute(counts)).one()
        gold, assigned = [
            await session.scalar(select(func.count()).where(planned.c.dataset_id == dataset_id, flag.is_(True)))
            for flag in (planned.c.gold, planned.c.assigned)
        ]
        over = (await session.scalars(_over(dataset))).all()
    return {
        "exact_overlap": plan.exact_overlap,
        "lease_minutes": plan.lease_seconds / 60,
        "gold_every": plan.gold_every,
        "records": records,
        "prioritised": prioritised,
        "gold": gold,
        "assigned": assigned,
        "over": list(over),
    }


def _over(dataset: Dataset) -> Any:
    """Return the external ids of records, gold ones apart, with more submitted answers than the overlap: late ones."""
    gold = select(planned.c.record_id).where(planned.c.dataset_id == dataset.id, planned.c.gold)
    return (
        select(Record.external_id)
        .join(Response, Response.record_id == Record.id)
        .where(Record.dataset_id == dataset.id, Response.status == ResponseStatus.submitted, Record.id.not_in(gold))
        .group_by(Record.id, Record.external_id)
        .having(func.count() > dataset.distribution["min_submitted"])
        .order_by(Record.external_id)
    )


async def _record_ids(session: AsyncSession, dataset_id: UUID) -> dict[str, UUID]:
    rows = await session.execute(select(Record.external_id, Record.id).where(Record.dataset_id == dataset_id))
    return {external_id: record_id for external_id, record_id in rows if external_id is not None}


async def _replace(session: AsyncSession, dataset_id: UUID, body: PlanBody, ids: dict[str, UUID]) -> None:
    """Write the plan anew; who was shown what stays, with the leases that live."""
    row = {
        "exact_overlap": body.exact_overlap,
        "lease_seconds": round(body.lease_minutes * 60),
        "gold_every": body.gold_every,
    }
    # The row stays, since whoever takes a lease locks it.
    if not (await session.execute(update(plans).where(plans.c.dataset_id == dataset_id).values(row))).rowcount:
        await session.execute(insert(plans), [row | {"dataset_id": dataset_id, "turn": 0}])
    for table in (assignments, planned):
        await session.execute(delete(table).where(table.c.dataset_id == dataset_id))
    known = {record.external_id: record for record in body.records if record.external_id in ids}
    rows = [
        {
            "record_id": ids[name],
            "dataset_id": dataset_id,
            "priority": record.priority,
            "gold": record.gold,
            "assigned": bool(record.assigned_to),
        }
        for name, record in known.items()
    ]
    named = [
        {"record_id": ids[name], "dataset_id": dataset_id, "username": username}
        for name, record in known.items()
        for username in dict.fromkeys(record.assigned_to)
    ]
    for table, many in ((planned, rows), (assignments, named)):
        for batch in _batches(many):
            await session.execute(insert(table), batch)


def _batches(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]

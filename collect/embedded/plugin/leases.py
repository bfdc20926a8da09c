"""Exact overlap: a record is put before somebody only while another answer is still wanted of it.

Being shown a record takes a lease on it. A lease counts until it runs out, or until its holder has submitted or
discarded an answer; that is read off the answers themselves, so nothing can be forgotten by a kill between an answer
and its bookkeeping. A submitted answer after the lease has run out is accepted like any other.
"""

import time
from collections.abc import Sequence
from uuid import UUID

from argilla_server.enums import ResponseStatus
from argilla_server.models import Record, Response
from sqlalchemy import ColumnElement, Select, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .database import search_sessions
from .plan import Plan, plan_of, planned, plans, shown

AHEAD = 6
"""Records outside the page whose leases a person keeps: the web UI fetches the next page when five are left."""
DRAFT_SECONDS = 24 * 3600
"""How long a draft holds its record: who saves one means to come back."""


def full(dataset_id: UUID, user_id: UUID, wanted: int) -> Select[tuple[UUID]]:
    """Return the records that others' answers and live leases leave no room for."""
    submitted = _submitted(shown.c.record_id)
    held = select(shown.c.record_id).where(shown.c.dataset_id == dataset_id, shown.c.user_id != user_id, _live())
    return held.group_by(shown.c.record_id).having(func.count() + submitted >= wanted)


async def take(
    dataset_id: UUID, user_id: UUID, plan: Plan, wanted: int, page: Sequence[UUID], share: int
) -> list[UUID]:
    """Take or renew leases on a page's records; return, in order, those that are this person's now.

    New ones only as far as the person then holds no more than `share`. Gold records are everybody's and need no lease,
    but are noted as shown like the others.
    """
    now = time.time()
    async with search_sessions() as session:
        # One after the other, and the first statement writes: what is read next is what holds until the commit.
        await session.execute(update(plans).where(plans.c.dataset_id == dataset_id).values(turn=plans.c.turn + 1))
        await _release(session, dataset_id, user_id, page, now)
        mine = await _mine(session, dataset_id, user_id)
        free = await _free(session, page, user_id, wanted, plan)
        kept = [record_id for record_id in page if record_id in mine and (mine[record_id] > now or record_id in free)]
        room = max(0, share - sum(until > now for until in mine.values()))
        fresh = [record_id for record_id in page if record_id not in mine and record_id in free][:room]
        until = now + plan.lease_seconds
        await _renew(session, user_id, kept, until)
        if fresh:
            place = await _places(session, dataset_id, user_id)
            rows = [
                {
                    "record_id": record_id,
                    "user_id": user_id,
                    "dataset_id": dataset_id,
                    "place": place + number,
                    "until": until,
                }
                for number, record_id in enumerate(fresh)
            ]
            await session.execute(insert(shown), rows)
        await session.commit()
    granted = {*kept, *fresh}
    return [record_id for record_id in page if record_id in granted]


def unanswered(dataset_id: UUID, user_id: UUID) -> Select[tuple[UUID]]:
    """Return the records that this person was shown and has not touched, in the order in which they were shown."""
    mine = select(shown.c.record_id).where(shown.c.dataset_id == dataset_id, shown.c.user_id == user_id, ~_touched())
    return mine.order_by(shown.c.place)


async def answered(response: Response) -> None:
    """Renew the leases of somebody who works; a draft holds its record for longer."""
    now = time.time()
    async with search_sessions() as session:
        dataset_id = await session.scalar(select(Record.dataset_id).where(Record.id == response.record_id))
        plan = await plan_of(session, dataset_id) if dataset_id else None
        if plan is None or not plan.exact_overlap:
            return
        mine = [shown.c.dataset_id == dataset_id, shown.c.user_id == response.user_id]
        # Only what has lost half its time, or every answer would write to the whole of a person's page.
        due = [shown.c.until > now, shown.c.until < now + plan.lease_seconds / 2]
        await session.execute(update(shown).where(*mine, *due).values(until=now + plan.lease_seconds))
        if response.status == ResponseStatus.draft:
            drafted = update(shown).where(*mine, shown.c.record_id == response.record_id)
            await session.execute(drafted.values(until=now + DRAFT_SECONDS))
        await session.commit()


async def _mine(session: AsyncSession, dataset_id: UUID, user_id: UUID) -> dict[UUID, float]:
    """Return what this person was shown and has not touched, with the times until which it is theirs."""
    mine = [shown.c.dataset_id == dataset_id, shown.c.user_id == user_id, ~_touched()]
    rows = await session.execute(select(shown.c.record_id, shown.c.until).where(*mine))
    return {record_id: until for record_id, until in rows}


async def _free(session: AsyncSession, page: Sequence[UUID], user_id: UUID, wanted: int, plan: Plan) -> set[UUID]:
    """Return the records of the page that this person may take: all gold ones, and those with room left."""
    gold = exists().where(planned.c.record_id == Record.id, planned.c.gold)
    others = select(func.count()).where(shown.c.record_id == Record.id, shown.c.user_id != user_id, _live())
    room = _submitted(Record.id) + others.scalar_subquery() < wanted
    found = select(Record.id).where(Record.id.in_(page))
    return set(await session.scalars(found.where(or_(gold, room)) if plan.exact_overlap else found))


async def _renew(session: AsyncSession, user_id: UUID, records: Sequence[UUID], until: float) -> None:
    if records:
        mine = [shown.c.user_id == user_id, shown.c.record_id.in_(records)]
        await session.execute(update(shown).where(*mine, shown.c.until < until).values(until=until))


async def _release(session: AsyncSession, dataset_id: UUID, user_id: UUID, page: Sequence[UUID], now: float) -> None:
    """Give back what this person has passed over: leases outside the page that are older than one already answered.

    Who only looks and answers nothing keeps the newest few: one of them is on the screen, the web UI holds the others.
    """
    mine = [shown.c.dataset_id == dataset_id, shown.c.user_id == user_id]
    answered = await session.scalar(select(func.max(shown.c.place)).where(*mine, _touched()))
    held = select(shown.c.record_id, shown.c.place).where(*mine, shown.c.until > now, ~_touched())
    rows = (await session.execute(held.where(shown.c.record_id.not_in(page)).order_by(shown.c.place.desc()))).all()
    passed = [row.record_id for row in rows if answered is not None and row.place < answered]
    ids = {*passed, *(row.record_id for row in rows[AHEAD:])}
    if ids:
        given_back = update(shown).where(shown.c.user_id == user_id, shown.c.record_id.in_(ids))
        await session.execute(given_back.values(until=now))


async def _places(session: AsyncSession, dataset_id: UUID, user_id: UUID) -> int:
    last = select(func.max(shown.c.place)).where(shown.c.dataset_id == dataset_id, shown.c.user_id == user_id)
    found = await session.scalar(last)
    return 0 if found is None else found + 1


def _live() -> ColumnElement[bool]:
    return (shown.c.until > time.time()) & ~_done()


def _touched(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Response.record_id == shown.c.record_id, Response.user_id == shown.c.user_id, *conditions)


def _done() -> ColumnElement[bool]:
    return _touched(Response.status.in_((ResponseStatus.submitted, ResponseStatus.discarded)))


def _submitted(record_id: ColumnElement[UUID]) -> ColumnElement[int]:
    answers = select(func.count()).where(Response.record_id == record_id)
    return answers.where(Response.status == ResponseStatus.submitted).scalar_subquery()

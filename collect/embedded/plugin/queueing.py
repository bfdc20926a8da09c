"""An annotator's queue: what comes next for this person, found without looking at the whole of it.

The web UI asks for records that are pending and that the user has not answered, skips as many as it holds unanswered,
and takes ten. So what a person was shown and has not answered comes first, in the order in which it was shown; then
what is new, by priority, and among equals shuffled for each person apart, with a gold record mixed in now and then.
"""

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any
from uuid import UUID

from argilla_server.enums import RecordStatus, ResponseStatusFilter
from argilla_server.models import Dataset, Record, Response, User
from argilla_server.search_engine import AndFilter, Filter, RecordFilterScope, ResponseFilterScope, TermsFilter
from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from . import leases
from .database import search_sessions
from .ordering import shuffled
from .plan import Plan, assignments, plan_of, planned, shown

BUCKETS = 256
AT_ONCE = 500
"""Records that one statement asks for by id."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for somebody's queue, and the other filters it came with."""

    user: User
    rest: AndFilter


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a queue, in order, and how many it has."""

    records: list[UUID]
    total: int


def asked(filter: Filter | None) -> Asked | None:
    """Return whose queue a filter asks for: records pending in all, and not answered by this user. Else None."""
    parts = filter.filters if isinstance(filter, AndFilter) else [filter] if filter else []
    unanswered = [part for part in parts if _asks(part, ResponseFilterScope, ResponseStatusFilter.pending)]
    pending = [part for part in parts if _asks(part, RecordFilterScope, RecordStatus.pending)]
    users = [part.scope.user for part in unanswered if part.scope.question is None and part.scope.user]
    if not users or not pending:
        return None
    rest = [part for part in parts if part not in unanswered and part not in pending]
    return Asked(users[0], AndFilter(filters=rest))


def _asks(part: Filter, scope: type[Any], value: str) -> bool:
    return (
        isinstance(part, TermsFilter)
        and isinstance(part.scope, scope)
        and part.scope.property in (None, "status")
        and list(part.values) == [value]
    )


async def plan_for(session: AsyncSession, dataset: Dataset, user: User) -> Plan | None:
    """Return the plan that this user's queue follows: owners and admins see everything, and take nothing."""
    return await plan_of(session, dataset.id) if user.is_annotator else None


def queued(dataset: Dataset, user: User, plan: Plan | None) -> ColumnElement[bool]:
    """Return the condition that a record is in this user's queue."""
    answered = Record.id.in_(select(Response.record_id).where(Response.user_id == user.id))
    pending = Record.status == RecordStatus.pending
    if plan is None:
        return and_(pending, ~answered)
    gold = Record.id.in_(_planned(dataset, planned.c.gold))
    if plan.exact_overlap:
        pending = and_(pending, Record.id.not_in(leases.full(dataset.id, user.id, _wanted(dataset))))
    named = select(assignments.c.record_id).where(assignments.c.dataset_id == dataset.id)
    for_others = and_(
        Record.id.in_(_planned(dataset, planned.c.assigned)),
        Record.id.not_in(named.where(assignments.c.username == user.username)),
    )
    return and_(~answered, ~for_others, or_(pending, gold))


async def page(dataset: Dataset, user: User, found: Select[Any], offset: int, limit: int) -> Page:
    """Return one page of the user's queue in its own order, of the records that `found` selects the ids of."""
    async with search_sessions() as session:
        plan = await plan_for(session, dataset, user)
        found = found.where(queued(dataset, user, plan))
        total = await session.scalar(select(func.count()).select_from(found.subquery())) or 0
        if plan is None:
            records = await _first(session, found, user.id, offset + limit, total)
            return Page(records[offset:], total)
        ahead = await _shown(session, found, dataset, user)
        new = found.where(Record.id.not_in(_shown_ids(dataset, user)))
        wanted = max(0, offset + limit - len(ahead)) + leases.AHEAD
        golds = await _gold(session, new, dataset, user.id, wanted) if plan.gold_every else []
        ordinary = new.where(Record.id.not_in(_planned(dataset, planned.c.gold))) if plan.gold_every else new
        plain = await _planned_first(session, ordinary, dataset, user.id, wanted)
        place = await _places(session, dataset, user)
        share = await _share(session, dataset, user, total)
    mixed = list(islice(_mixed(plain, golds, place, plan.gold_every, user.id), wanted))
    records = [*ahead, *mixed][offset : offset + limit]
    return Page(await _take(dataset, user, plan, records, share), total)


async def narrowed(dataset: Dataset, user: User, found: Select[Any]) -> Select[Any]:
    """Return `found` without what is not in the user's queue."""
    async with search_sessions() as session:
        return found.where(queued(dataset, user, await plan_for(session, dataset, user)))


async def granted(dataset: Dataset, user: User, records: Sequence[UUID], total: int) -> list[UUID]:
    """Return those of these records, out of a queue of `total`, that the user gets."""
    async with search_sessions() as session:
        plan = await plan_for(session, dataset, user)
        share = await _share(session, dataset, user, total)
    return await _take(dataset, user, plan, records, share) if plan else list(records)


async def _take(dataset: Dataset, user: User, plan: Plan, records: Sequence[UUID], share: int) -> list[UUID]:
    if not plan.exact_overlap:
        share = sys.maxsize
    return await leases.take(dataset.id, user.id, plan, _wanted(dataset), records, share)


async def _first(session: AsyncSession, found: Select[Any], user_id: UUID, wanted: int, total: int) -> list[UUID]:
    """Return the first records of the user's own shuffle: another for everybody, the same each time.

    Shuffling 20,000 records to show ten takes a tenth of a second. So records fall into buckets by the first digits of
    their (random) ids, every user has an order of buckets, and only those needed are shuffled.
    """
    order = _buckets(user_id)
    rank = {bucket: number for number, bucket in enumerate(order)}
    name = func.substr(cast(Record.id, String), 1, 2)
    many = min(BUCKETS, 2 + 2 * BUCKETS * wanted // max(1, total))
    while True:
        few = found.where(name.in_(order[:many])) if many < BUCKETS else found
        rows = (await session.execute(few.with_only_columns(Record.id, name, shuffled(user_id)))).all()
        if len(rows) >= min(wanted, total) or many == BUCKETS:
            rows = sorted(rows, key=lambda row: (rank[row[1]], row[2]))
            return [row[0] for row in rows[:wanted]]
        many = min(BUCKETS, 4 * many)


async def _gold(session: AsyncSession, found: Select[Any], dataset: Dataset, user_id: UUID, wanted: int) -> list[UUID]:
    """Return the first gold records of the user's own shuffle."""
    every = sorted(await session.scalars(_planned(dataset, planned.c.gold)), key=lambda id: _shuffled(user_id, id.hex))
    records: list[UUID] = []
    for start in range(0, len(every), AT_ONCE):
        some = every[start : start + AT_ONCE]
        there = set(await session.scalars(found.where(Record.id.in_(some))))
        records += [record_id for record_id in some if record_id in there]
        if len(records) >= wanted:
            break
    return records[:wanted]


async def _planned_first(
    session: AsyncSession, found: Select[Any], dataset: Dataset, user_id: UUID, wanted: int
) -> list[UUID]:
    """Return the first records by priority, among equals by the user's own shuffle; those without one come last."""
    ranked = planned.alias()
    # Not a join, which SQLite would begin with the records: this walks along the priorities until it has enough.
    there = exists(found.where(Record.id == ranked.c.record_id))
    rows = select(ranked.c.record_id, ranked.c.priority).where(
        ranked.c.dataset_id == dataset.id, ranked.c.priority.is_not(None), there
    )
    some = (await session.execute(rows.order_by(ranked.c.priority).limit(2 * wanted))).all()
    if len(some) == 2 * wanted and some[-1].priority == some[wanted - 1].priority:
        some = (await session.execute(rows.where(ranked.c.priority <= some[-1].priority))).all()
    some = sorted(some, key=lambda row: (row.priority, _shuffled(user_id, row.record_id.hex)))
    records = [row.record_id for row in some[:wanted]]
    if len(records) < wanted:
        rest = found.where(Record.id.not_in(_planned(dataset, planned.c.priority.is_not(None))))
        left = await session.scalar(select(func.count()).select_from(rest.subquery())) or 0
        records += await _first(session, rest, user_id, wanted - len(records), left)
    return records


def _shuffled(user_id: UUID, name: str) -> str:
    return hashlib.md5(f"{user_id.hex}{name}".encode()).hexdigest()


def _mixed(plain: Sequence[UUID], golds: Sequence[UUID], place: int, every: int, user_id: UUID) -> Iterator[UUID]:
    """Yield the new records from this place on: gold ones at their places, whichever are left at the end."""
    ordinary, gold = iter(plain), iter(golds)
    for number in count(place):
        first, then = (gold, ordinary) if every and _is_gold_place(number, every, user_id) else (ordinary, gold)
        record = next(first, None) or next(then, None)
        if record is None:
            return
        yield record


def _is_gold_place(place: int, every: int, user_id: UUID) -> bool:
    """One place of every run of `every` is gold, where nobody can guess it."""
    run, at = divmod(place, every)
    return int(_shuffled(user_id, str(run)), 16) % every == at


async def _share(session: AsyncSession, dataset: Dataset, user: User, total: int) -> int:
    """Return how many records this user may hold unanswered: half a fair share of what is left, at least one.

    At the end of a queue few records are left, and whoever fetches ten ahead would leave nothing for the others.
    """
    holders = select(func.count(shown.c.user_id.distinct())).where(
        shown.c.dataset_id == dataset.id, shown.c.user_id != user.id, shown.c.until > time.time()
    )
    return max(1, total // (2 * (1 + (await session.scalar(holders) or 0))))


async def _shown(session: AsyncSession, found: Select[Any], dataset: Dataset, user: User) -> list[UUID]:
    """Return what this user was shown, has not answered and may still answer, in the order in which it was shown."""
    mine = list(await session.scalars(leases.unanswered(dataset.id, user.id)))
    still = set(await session.scalars(found.where(Record.id.in_(mine)))) if mine else ()
    return [record_id for record_id in mine if record_id in still]


def _shown_ids(dataset: Dataset, user: User) -> Select[tuple[UUID]]:
    return select(shown.c.record_id).where(shown.c.dataset_id == dataset.id, shown.c.user_id == user.id)


async def _places(session: AsyncSession, dataset: Dataset, user: User) -> int:
    last = select(func.max(shown.c.place)).where(shown.c.dataset_id == dataset.id, shown.c.user_id == user.id)
    found = await session.scalar(last)
    return 0 if found is None else found + 1


def _planned(dataset: Dataset, flag: ColumnElement[bool]) -> Select[tuple[UUID]]:
    return select(planned.c.record_id).where(planned.c.dataset_id == dataset.id, flag)


def _wanted(dataset: Dataset) -> int:
    return int(dataset.distribution["min_submitted"])


@lru_cache(maxsize=1000)
def _buckets(user_id: UUID) -> list[str]:
    names = [f"{number:02x}" for number in range(BUCKETS)]
    return sorted(names, key=lambda name: _shuffled(user_id, name))

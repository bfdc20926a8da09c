"""A record's status is written only where an answer changes it.

After each answer the stock server opens another session, serializable, and loads the record, its dataset and all its
submitted answers to set the status; for most answers it stays what it was. One reading statement tells. It runs after
the answer was committed, so of several people who answer at the same time the last one sees all their answers.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from argilla_server.contexts import distribution
from argilla_server.models import Record, Webhook
from sqlalchemy import exists, or_, select

from .database import search_sessions
from .jobs import unfinished

Update = Callable[[Any, UUID], Awaitable[Any]]


def install() -> None:
    """Put the question before the stock function; all of its callers go through the module."""
    distribution.update_record_status = _if_it_changes(distribution.update_record_status)


def _if_it_changes(update: Update) -> Update:
    async def update_if_it_changes(search_engine: Any, record_id: UUID) -> None:
        wrong = unfinished().where(Record.id == record_id).exists()
        heard = exists().where(Webhook.enabled)  # who listens is told of every update, of this kind too
        async with search_sessions() as session:
            needed = await session.scalar(select(or_(wrong, heard)))
        if needed:
            await update(search_engine, record_id)

    return update_if_it_changes

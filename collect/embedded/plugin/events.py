"""Build webhook events only where somebody listens.

For every record written the stock server reads its whole dataset and dumps it, then finds that no webhook exists.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from argilla_server.contexts import webhooks
from argilla_server.webhooks.v1 import datasets, records, responses
from sqlalchemy.ext.asyncio import AsyncSession

Build = Callable[[AsyncSession, Any, Any], Awaitable[Any]]


class NoEvent:
    """What stands for an event that nobody listens for."""

    async def notify(self, _session: AsyncSession) -> list[Any]:
        """Notify nobody."""
        return []


def install() -> None:
    """Put the check before the three functions that build events; every notification goes through them."""
    records.build_record_event = _if_heard(records.build_record_event)
    responses.build_response_event = _if_heard(responses.build_response_event)
    datasets.build_dataset_event = _if_heard(datasets.build_dataset_event)


def _if_heard(build: Build) -> Build:
    async def build_if_heard(session: AsyncSession, event: Any, subject: Any) -> Any:
        # Asked once a session, which is once a request.
        if "webhooks" not in session.info:
            session.info["webhooks"] = bool(await webhooks.list_enabled_webhooks(session))
        return await build(session, event, subject) if session.info["webhooks"] else NoEvent()

    return build_if_heard

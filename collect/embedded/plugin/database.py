"""Connections: who may hold how many, so that no request ever waits for one that waits for it.

A stock request holds one connection and asks for a second (to update the record's status, to search). From one pool of
15 that dead-locks with 15 requests at work. Here at most `REQUESTS` API requests work at once, the server's pool has
two connections for each, and searching has a pool of its own. PostgreSQL's default of 100 connections has room for all.
"""

import asyncio
from typing import Any

from argilla_server.database import AsyncSessionLocal
from argilla_server.settings import settings
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from .dialect import dialect

REQUESTS = 16
JOBS = 8
"""Background jobs at work at once."""


def _engine(connections: int) -> AsyncEngine:
    return create_async_engine(
        settings.database_url,
        connect_args=settings.database_engine_args.get("connect_args", {}),
        pool_size=connections,
        max_overflow=0,
        # A PostgreSQL may have been restarted since a connection was used last.
        pool_pre_ping=settings.database_is_postgresql,
    )


search_engine = _engine(REQUESTS + JOBS)
event.listen(search_engine.sync_engine, "connect", dialect.on_connect)
search_sessions = async_sessionmaker(bind=search_engine, expire_on_commit=False)
server_engine = _engine(2 * (REQUESTS + JOBS))


def widen_server_pool() -> None:
    """Give the server's own sessions a pool of two connections a request at work."""
    AsyncSessionLocal.configure(bind=server_engine)


async def close() -> None:
    """Close all connections."""
    await search_engine.dispose()
    await server_engine.dispose()


class Turns:
    """ASGI middleware: at most `REQUESTS` API requests work at once, the others wait here without any connection."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.turns = asyncio.Semaphore(REQUESTS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        # The version needs no connection; asking for it is how one sees whether the server is alive.
        if scope["type"] != "http" or not scope["path"].startswith("/api/") or scope["path"].endswith("/version"):
            await self.app(scope, receive, send)
            return
        async with self.turns:
            await self.app(scope, receive, send)

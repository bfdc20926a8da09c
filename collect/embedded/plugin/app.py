"""The stock application with the plug-in's parts in place."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from argilla_server import app
from argilla_server.search_engine import SearchEngine

from . import database, events, forms, jobs, owner, plan, privacy, private, statuses
from .dialect import dialect
from .engine import SqlSearchEngine

STOP_SECONDS = 5
"""How long requests and jobs at work may take to finish when the server is stopped."""


def serve(host: str, port: int) -> None:
    """Serve until told to stop."""
    credentials = json.loads(Path("credentials.json").read_text(encoding="utf-8"))
    owner.migrate()
    owner.ensure_owner(credentials["username"], credentials["password"], credentials["api_key"])
    owner.close()
    install()
    uvicorn.run(app, host=host, port=port, access_log=False, timeout_graceful_shutdown=STOP_SECONDS)


def run_job(name: str, arguments: dict[str, Any]) -> None:
    """Run one background job in this process."""
    install()
    asyncio.run(jobs.run_here(name, arguments))


def install(*, jobs_here: bool = True) -> None:
    """Put the plug-in's parts into the stock application; without `jobs_here` its jobs stay in Redis, for a worker."""
    SearchEngine.register("sql")(SqlSearchEngine)
    database.widen_server_pool()
    events.install()
    if jobs_here:
        jobs.install()
    forms.install()
    statuses.install()
    private.install()
    privacy.install()
    app.router.lifespan_context = _around(app.router.lifespan_context)
    app.add_middleware(database.Turns)


def _around(stock: Any) -> Any:
    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncIterator[None]:
        async with database.search_engine.connect() as connection:
            await dialect.prepare(connection)
            await plan.prepare(connection)
            await connection.commit()
        async with stock(application):
            await jobs.resume()
            yield
            await jobs.finish(STOP_SECONDS)
        # The last connection to close folds the write-ahead log into the database file.
        await database.close()

    return lifespan

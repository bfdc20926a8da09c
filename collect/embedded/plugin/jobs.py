"""Background jobs in this process, in place of Redis, its queue and a worker.

Short jobs run in the server's event loop, webhook deliveries on threads of their own, Hub imports and exports (which
block for minutes) in a process of their own. Stock retries hold. A stop loses what has not run: `unfinished` finds the
record statuses that are still owed; webhook deliveries in flight are lost.
"""

import asyncio
import json
import logging
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import argilla_server._app
from argilla_server.api.handlers.v1 import jobs as handlers
from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import RecordStatus, ResponseStatus
from argilla_server.jobs import dataset_jobs, hub_jobs, webhook_jobs
from argilla_server.models import Dataset, Record, Response, Webhook
from argilla_server.webhooks.v1.commons import notify_event
from fastapi import HTTPException
from rq.job import JobStatus
from sqlalchemy import Select, and_, func, or_, select

from .database import JOBS

logger = logging.getLogger("prefloop_argilla")

REMEMBERED = 1000
"""Finished jobs whose status can still be asked for."""
AT_ONCE = (0.0, 0.0, 0.0)
LATER = (10.0, 60.0, 180.0)
"""Seconds before each retry: the stock server's, for jobs and for webhooks."""

Work = Callable[..., Awaitable[None]]


@dataclass(slots=True)
class Job:
    """What the stock server reads of an rq job."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: JobStatus = JobStatus.QUEUED

    def get_status(self, refresh: bool = True) -> JobStatus:
        """Return the status; it is always fresh."""
        return self.status


_jobs: dict[str, Job] = {}
_tasks: set[asyncio.Task[None]] = set()
_turns = asyncio.Semaphore(JOBS)
_threads = ThreadPoolExecutor(max_workers=JOBS, thread_name_prefix="webhook")


def install() -> None:
    """Give the stock server's jobs another `delay`, its job status another source, and drop its wait for Redis."""
    update = dataset_jobs.update_dataset_records_status_job
    update.delay = _delay(update, AT_ONCE)
    webhook_jobs.notify_event_job.delay = _delay(_deliver, LATER)
    for name in ("import_dataset_from_hub_job", "export_dataset_to_hub_job"):
        getattr(hub_jobs, name).delay = _delay(_in_process(name), AT_ONCE)
    handlers._get_job = _find
    argilla_server._app.configure_redis = lambda: None


async def resume() -> None:
    """Queue what an earlier stop left undone."""
    async with AsyncSessionLocal() as session:
        datasets = (await session.scalars(unfinished())).all()
    for dataset_id in datasets:
        logger.warning("dataset %s: taking up the update of its records' status", dataset_id)
        dataset_jobs.update_dataset_records_status_job.delay(dataset_id)


def unfinished() -> Select[tuple[UUID]]:
    """Return the datasets with answered records whose status is not what `min_submitted` makes of their responses."""
    submitted = (
        select(func.count())
        .where(Response.record_id == Record.id, Response.status == ResponseStatus.submitted)
        .scalar_subquery()
    )
    wanted = Dataset.distribution["min_submitted"].as_integer()
    wrong = or_(
        and_(Record.status == RecordStatus.completed, submitted < wanted),
        and_(Record.status == RecordStatus.pending, submitted >= wanted),
    )
    return select(Dataset.id).distinct().join(Record, Record.dataset_id == Dataset.id).where(wrong)


async def finish(seconds: float | None = None) -> None:
    """Wait for the queued jobs, then drop the rest; without a limit wait for all, and for those that they queue."""
    while _tasks:
        _, left = await asyncio.wait(_tasks, timeout=seconds)
        if seconds is not None:
            for task in left:
                task.cancel()
            break


def _delay(work: Work, waits: Sequence[float]) -> Callable[..., Job]:
    def delay(*args: Any, **kwargs: Any) -> Job:
        job = Job()
        _jobs[job.id] = job
        while len(_jobs) > REMEMBERED and next(iter(_jobs.values())).status in (JobStatus.FINISHED, JobStatus.FAILED):
            del _jobs[next(iter(_jobs))]
        _keep(asyncio.get_running_loop().create_task(_run(job, work, waits, args, kwargs)))
        return job

    return delay


def _keep(task: asyncio.Task[None]) -> None:
    """Hold the task until it is done: the loop itself keeps only a weak reference."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _run(job: Job, work: Work, waits: Sequence[float], args: Any, kwargs: Any) -> None:
    for wait in (*waits, None):
        try:
            async with _turns:
                job.status = JobStatus.STARTED
                await work(*args, **kwargs)
            job.status = JobStatus.FINISHED
            return
        except Exception as error:
            if wait is None:
                job.status = JobStatus.FAILED
                logger.error("job %s (%s) failed for good: %r", job.id, work.__name__, error)
                return
            job.status = JobStatus.SCHEDULED
            logger.warning("job %s (%s) failed, again in %g s: %r", job.id, work.__name__, wait, error)
            await asyncio.sleep(wait)


def _find(job_id: str) -> Job:
    if job_id not in _jobs:
        raise HTTPException(status_code=404, detail=f"Job with id `{job_id}` not found")
    return _jobs[job_id]


async def _deliver(webhook_id: UUID, event: str, timestamp: datetime, data: dict[str, Any]) -> None:
    async with AsyncSessionLocal() as session:
        webhook = await Webhook.get_or_raise(session, webhook_id)
    # The stock sender blocks for up to 20 seconds.
    loop = asyncio.get_running_loop()
    response = await loop.run_in_executor(_threads, notify_event, webhook, event, timestamp, data)
    response.raise_for_status()


def _in_process(name: str) -> Callable[..., Coroutine[Any, Any, None]]:
    async def work(**kwargs: Any) -> None:
        launch = Path(__file__).with_name("launch.py")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(launch), "job", name, stdin=asyncio.subprocess.PIPE
        )
        try:
            await process.communicate(json.dumps(kwargs, default=str).encode())
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode:
            raise RuntimeError(f"its process ended with code {process.returncode}")

    work.__name__ = name
    return work


async def run_here(name: str, arguments: dict[str, Any]) -> None:
    """Run one Hub job in this process and whatever it queues."""
    arguments["dataset_id"] = UUID(arguments["dataset_id"])
    await getattr(hub_jobs, name)(**arguments)
    await finish()

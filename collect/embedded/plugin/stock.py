"""For a server that somebody else starts, such as Argilla's own image: the plug-in on its PostgreSQL or SQLite.

    UVICORN_APP=prefloop_argilla.stock:app                the server, in place of argilla_server:app
    python -m prefloop_argilla.stock worker ...            the worker, in place of python -m argilla_server worker

This folder must be on PYTHONPATH's reach under the name `prefloop_argilla`. Everything else is configured as ever, by
ARGILLA_DATABASE_URL and the like. With ARGILLA_REDIS_URL background jobs stay in Redis, for a worker; without it they
run in the server's process.
"""

import os

os.environ["ARGILLA_SEARCH_ENGINE"] = "sql"

from argilla_server import app
from argilla_server.cli import app as command_line

from .app import install

__all__ = ["app"]

install(jobs_here="ARGILLA_REDIS_URL" not in os.environ)

if __name__ == "__main__":
    command_line()

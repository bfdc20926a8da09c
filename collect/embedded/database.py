"""Which database an Argilla folder has: SQLite in the folder itself, or a PostgreSQL somewhere."""

import json
import logging
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import UserError
from ...runs import read_json
from .environment import POSTGRESQL, ensure_environment

logger = logging.getLogger(__name__)

TABLES = ("datasets", "records", "responses")
COUNT_SECONDS = 20


def postgresql_url(url: str) -> str:
    """Return the URL as it is kept, after making sure that it names a PostgreSQL's database and holds no password.

    Raises:
        UserError: it does not, or it does.
    """
    wanted = "write it as postgresql://user@host:5432/name"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError as error:
        raise UserError(f"the database's address is no URL ({error}); {wanted}") from error
    if parts.password is not None or "password=" in parts.query:
        raise UserError(
            "the database's address holds a password, which everybody on this machine could read in the list of "
            "processes; leave it out, and put it into ~/.pgpass or the environment variable PGPASSWORD"
        )
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise UserError(f"the database's address is {url!r}, which names no PostgreSQL's database; {wanted}")
    if parts.query and not re.fullmatch("host=[^&]+", parts.query):
        raise UserError(
            f"the database's address ends with {parts.query!r}, which its two drivers understand differently; set "
            "PostgreSQL's environment variables instead, such as PGSSLMODE=require"
        )
    return parts._replace(scheme="postgresql").geturl()


def folder_database(folder: Path) -> str | None:
    """Return the URL of the folder's PostgreSQL, None where it has SQLite or never had a server."""
    saved = folder / "server.json"
    database = read_json(saved).get("database") if saved.exists() else None
    return None if database is None else str(database)


def counts(folder: Path) -> tuple[int, int, int]:
    """Return how many data sets, records and responses there are; zeros where the database cannot be read."""
    url = folder_database(folder)
    datasets, records, responses = _sqlite_counts(folder / "argilla.db") if url is None else _postgresql_counts(url)
    return datasets, records, responses


def _sqlite_counts(database: Path) -> list[int]:
    if not database.exists():
        return [0, 0, 0]
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return [int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in TABLES]
    except sqlite3.DatabaseError:
        # Before the first start has made the tables; a damaged file is the start's to complain of.
        return [0, 0, 0]


def _postgresql_counts(url: str) -> list[int]:
    python = ensure_environment(logger.info, also=POSTGRESQL)
    launch = Path(__file__).parent / "plugin" / "launch.py"
    command = [str(python), "-I", str(launch), "count", url]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COUNT_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        logger.warning("the database %s cannot be counted: %s", url, str(error.stderr or error).strip()[-300:])
        return [0, 0, 0]
    return [int(count) for count in json.loads(done.stdout)]

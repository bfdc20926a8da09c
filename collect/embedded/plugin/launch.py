"""Start Argilla with the plug-in; run by the server environment's Python, never imported.

python -I launch.py serve HOST PORT LOCK   with the data folder as working directory; LOCK is an open file descriptor
python -I launch.py job NAME               one background job, its arguments as JSON on standard input
python -I launch.py count URL              how many data sets, records and responses a PostgreSQL has, as JSON
"""

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

PACKAGE = "prefloop_argilla"
TABLES = ("datasets", "records", "responses")


def main() -> None:
    """Configure the process and hand over to the plug-in."""
    os.umask(0o077)
    if sys.argv[1] == "count":
        json.dump(count(sys.argv[2]), sys.stdout)
        return
    if sys.argv[1] == "serve":
        note_process_id(int(sys.argv[4]))
    configure(read("credentials.json"), read("server.json").get("database"))
    load_plugin()
    app = importlib.import_module(f"{PACKAGE}.app")
    if sys.argv[1] == "serve":
        app.serve(sys.argv[2], int(sys.argv[3]))
    else:
        app.run_job(sys.argv[2], json.load(sys.stdin))


def note_process_id(lock: int) -> None:
    """Write this process's id into the lock file, which is held for as long as this process lives."""
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def read(name: str) -> dict[str, Any]:
    """Read one of the data folder's files."""
    content: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    return content


def count(url: str) -> list[int]:
    """Count a PostgreSQL's data sets, records and responses; nothing of Argilla is loaded for that."""
    psycopg2 = importlib.import_module("psycopg2")
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM datasets), count(*), (SELECT count(*) FROM responses) FROM records"
            )
            return list(cursor.fetchone())
    finally:
        connection.close()


def configure(credentials: dict[str, str], database: str | None) -> None:
    """Set what argilla_server reads from the environment when it is imported.

    Set here, after the process has started, so that no secret shows in the process list or its environment.

    Args:
        credentials: What is in credentials.json.
        database: The PostgreSQL's URL without a password, which both drivers look for in PGPASSWORD and PGPASSFILE;
            None is SQLite.
    """
    os.environ |= {
        "ARGILLA_HOME_PATH": ".",
        # Relative to the working directory, so that no folder name needs quoting.
        "ARGILLA_DATABASE_URL": database.replace("postgresql://", "postgresql+asyncpg://", 1)
        if database
        else "sqlite+aiosqlite:///argilla.db?check_same_thread=False",
        "ARGILLA_DATABASE_SQLITE_TIMEOUT": "30",
        "ARGILLA_SEARCH_ENGINE": "sql",
        "ARGILLA_AUTH_SECRET_KEY": credentials["auth_secret_key"],
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def load_plugin() -> None:
    """Make this folder importable under a name of its own, and nothing else beside it."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()

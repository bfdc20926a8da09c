"""A whole Argilla in one file: the database as it was at one moment, and the folder's credentials.

argilla.db | argilla.dump   the SQLite file, or what pg_dump wrote of a PostgreSQL (its custom format)
credentials.json            the owner's password and key, and the key that signs log-ins
"""

import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from ...errors import UserError
from ...runs import write_json
from .credentials import credentials_file, ensure_credentials
from .database import folder_database, postgresql_url
from .process import running_pid

SQLITE = "argilla.db"
DUMP = "argilla.dump"
CREDENTIALS = "credentials.json"


def back_up(folder: Path, file: Path) -> Path:
    """Write the folder's Argilla into `file`, which only its owner may read; the server may run and people may vote.

    The file holds everything that was committed at one moment.

    Raises:
        UserError: there is nothing to back up, the file exists, or the database cannot be read.
    """
    folder, file = folder.expanduser().resolve(), file.expanduser().resolve()
    url = folder_database(folder)
    if not credentials_file(folder).exists() or (url is None and not (folder / SQLITE).exists()):
        raise UserError(f"{folder} holds no Argilla; name the folder of one that was started before")
    if file.exists():
        raise UserError(f"{file} exists and is not overwritten; choose another name for the backup")
    if not file.parent.is_dir():
        raise UserError(f"{file.parent} is no folder; create it, or write the backup elsewhere")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as temporary:
        copy = Path(temporary)
        database = _copy_sqlite(folder / SQLITE, copy / SQLITE) if url is None else _dump(url, copy / DUMP)
        whole = copy / "whole"
        with whole.open("xb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            archive.add(database, database.name)
            archive.add(credentials_file(folder), CREDENTIALS)
        whole.chmod(0o600)
        os.replace(whole, file)
    return file


def restore(file: Path, folder: Path, *, database: str | None = None) -> None:
    """Make the Argilla of a backup anew in a folder that has none, its PostgreSQL in an empty database.

    Args:
        file: What `back_up` wrote.
        folder: Where the Argilla goes; start it there afterwards.
        database: The empty PostgreSQL database of a backup made from one.

    Raises:
        UserError: the file is no backup or damaged, or something is there already.
    """
    folder = folder.expanduser().resolve()
    _refuse_existing(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as temporary:
        copy = Path(temporary)
        names = _unpack(file, copy)
        ensure_credentials(copy)
        if (DUMP in names) != (database is not None):
            kind, wanted = ("a PostgreSQL", "name an empty one") if DUMP in names else ("SQLite", "name no database")
            raise UserError(f"{file} was made from {kind}: {wanted} to restore it to")
        if database is None:
            _check(copy / SQLITE, file)
            os.replace(copy / SQLITE, folder / SQLITE)
        else:
            database = postgresql_url(database)
            _load(database, copy / DUMP)
            write_json(folder / "server.json", {"host": "127.0.0.1", "port": 0, "database": database})
        os.replace(copy / CREDENTIALS, folder / CREDENTIALS)


def _refuse_existing(folder: Path) -> None:
    there = [name for name in (SQLITE, CREDENTIALS, "server.json") if (folder / name).exists()]
    if there or (folder.exists() and running_pid(folder) is not None):
        raise UserError(
            f"{folder} holds an Argilla already ({', '.join(there)}), which is not overwritten; restore into another "
            "folder, or move that one away"
        )


def _copy_sqlite(source: Path, copy: Path) -> Path:
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(copy)) as made,
        ):
            # All pages in one step: one moment, and in write-ahead mode nobody waits for it.
            live.backup(made)
    except sqlite3.DatabaseError as error:
        raise UserError(f"{source} cannot be read ({error}); nothing was backed up") from error
    return copy


def _dump(url: str, copy: Path) -> Path:
    _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={copy}", url])
    return copy


def _load(url: str, dump: Path) -> None:
    tables = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
    if _run("psql", ["--no-psqlrc", "--tuples-only", "--no-align", f"--command={tables}", url]).strip() != "0":
        raise UserError(f"the database {url} has tables already, which are not overwritten; create an empty one")
    _run(
        "pg_restore",
        ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--dbname={url}", str(dump)],
    )


def _run(program: str, arguments: list[str]) -> str:
    if shutil.which(program) is None:
        raise UserError(f"{program} is not on this machine; install PostgreSQL's client programs (postgresql-client)")
    # Never ask for a password: without one in PGPASSWORD or a password file this fails and says so.
    done = subprocess.run([program, "--no-password", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{program} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _unpack(file: Path, folder: Path) -> set[str]:
    """Unpack the two files of a backup, and nothing else that might be in it."""
    try:
        with tarfile.open(file, "r:gz") as archive:
            members = {member.name: member for member in archive if member.isreg()}
            names = set(members)
            if names not in ({SQLITE, CREDENTIALS}, {DUMP, CREDENTIALS}):
                raise UserError(
                    f"{file} holds {', '.join(sorted(names)) or 'nothing'}: that is no backup of an Argilla"
                )
            for name, member in members.items():
                stream = archive.extractfile(member)
                assert stream is not None
                with (folder / name).open("xb") as copy:
                    shutil.copyfileobj(stream, copy)
                (folder / name).chmod(0o600)
            return names
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"{file} cannot be read as a backup of an Argilla ({error})") from error


def _check(database: Path, file: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise UserError(f"the database in {file} is damaged ({found}); nothing was restored")

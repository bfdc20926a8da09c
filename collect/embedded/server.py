"""Start, stop and look at the embedded Argilla of one folder.

~/.prefloop/argilla/
argilla.db         everything people did (SQLite, with its -wal and -shm while the server runs)
credentials.json   owner's password and API key, readable by its owner only
server.json        where the server listens, and the address of its PostgreSQL where it has one instead of argilla.db
server.lock        held by the running server, with its process id
argilla.log
"""

import logging
import os
import shutil
import socket
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UserError
from ...runs import read_json, write_json
from . import process
from .credentials import credentials_file, ensure_credentials
from .database import counts, folder_database, postgresql_url
from .environment import POSTGRESQL, Say, ensure_environment

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost", "::1")
START_SECONDS = 120
STOP_SECONDS = 15
LOG_BYTES = 5_000_000
"""A longer log is set aside (argilla.log.1) at the next start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and how to log in to it."""

    url: str
    username: str
    api_key: str = field(repr=False)
    password_file: Path
    """`credentials.json`; its `password` is for the web UI."""
    pid: int
    folder: Path


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What there is in a folder, running or not."""

    folder: Path
    running: bool
    pid: int | None = None
    url: str | None = None
    version: str | None = None
    """argilla-server's version, None while it does not answer."""
    datasets: int = 0
    records: int = 0
    responses: int = 0


def start_server(
    folder: Path,
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    database: str | None = None,
    say: Say = logger.info,
) -> Server:
    """Start the Argilla of a folder, or return it where it already runs.

    The first start creates the server's environment (one to two minutes), the tables and the owner's account.

    Args:
        folder: Where everything is kept; created when missing.
        host: The address to listen on. Anything but loopback lets other machines log in.
        port: None takes the folder's last port, or a free one.
        database: A PostgreSQL, as postgresql://user@host:5432/name; None takes the folder's last one, or SQLite. Its
            password is looked for where PostgreSQL's own programs do: PGPASSWORD, PGPASSFILE, ~/.pgpass.
        say: Told what is going on, a line at a time.

    Raises:
        UserError: the environment cannot be created, the port is taken, the folder has another database, or the
            server ends early.
    """
    if database is not None:
        database = postgresql_url(database)
    folder = folder.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(f"{folder} cannot hold an Argilla: {error.strerror}; choose another folder") from error
    saved = folder_database(folder)
    if database not in (None, saved) and (folder / "server.json").exists():
        raise UserError(f"the Argilla in {folder} keeps its data in {saved or 'argilla.db'}; choose another folder")
    database = database or saved
    python = ensure_environment(say, also=POSTGRESQL if database else None)
    while (lock := process.try_lock(folder)) is None:
        if process.running_pid(folder) is not None:
            return _join(folder, host, port)
    try:
        port = _choose_port(folder, host, port, say)
        ensure_credentials(folder)
        write_json(folder / "server.json", {"host": host, "port": port} | ({"database": database} if database else {}))
        log = folder / "argilla.log"
        _set_aside(log)
        start = log.stat().st_size if log.exists() else 0
        launch = Path(__file__).parent / "plugin" / "launch.py"
        command = [str(python), "-I", str(launch), "serve", host, str(port), str(lock)]
        process.spawn(command, folder, lock, log, _environment(folder))
    finally:
        os.close(lock)
    return _await(folder, log, start, say)


def stop_server(folder: Path) -> bool:
    """Stop the folder's server, gracefully first; return whether one was running."""
    folder = folder.expanduser().resolve()
    pid = process.running_pid(folder)
    if pid is None:
        return False
    process.end(folder, pid, patience=STOP_SECONDS)
    return True


def running_server(folder: Path) -> Server | None:
    """Return the folder's server if it runs."""
    folder = folder.expanduser().resolve()
    pid = process.running_pid(folder)
    return None if pid is None else _server(folder, pid)


def server_status(folder: Path) -> ServerStatus:
    """Return whether the folder's server runs, where, and how much is in it."""
    folder = folder.expanduser().resolve()
    datasets, records, responses = counts(folder)
    pid = process.running_pid(folder)
    url = _url(folder) if pid is not None else None
    version = _version(url) if url else None
    return ServerStatus(folder, pid is not None, pid, url, version, datasets, records, responses)


def server_logs(folder: Path, lines: int = 50) -> str:
    """Return the last lines of the server's log, an empty text where there is none."""
    return _tail(folder.expanduser().resolve() / "argilla.log", lines)


def _await(folder: Path, log: Path, log_start: int, say: Say) -> Server:
    began, url = time.monotonic(), _url(folder)
    settled = process.wait_until(
        lambda: _version(url) is not None or process.running_pid(folder) is None, START_SECONDS
    )
    pid = process.running_pid(folder)
    if pid is None:
        raise UserError(f"Argilla ended while starting. Its log {log} says:\n{_tail(log, 15, start=log_start)}")
    if not settled:
        process.end(folder, pid, patience=STOP_SECONDS)
        raise UserError(f"Argilla did not answer at {url} in {START_SECONDS} s. Its log {log} ends:\n{_tail(log, 15)}")
    say(f"Argilla answers at {url} after {time.monotonic() - began:.1f} s")
    if read_json(folder / "server.json")["host"] not in LOOPBACK_NAMES:
        say("it listens beyond this machine: others can reach its log-in page")
    return _server(folder, pid)


def _join(folder: Path, host: str, port: int | None) -> Server:
    """Return the server that another call started, or is starting."""
    pid = process.running_pid(folder)
    if pid is None or not process.wait_until(lambda: _version(_url(folder)) is not None, START_SECONDS):
        raise UserError(f"another start of the Argilla in {folder} failed; its log is {folder / 'argilla.log'}")
    saved = read_json(folder / "server.json")
    if host not in (LOOPBACK, saved["host"]) or port not in (None, saved["port"]):
        raise UserError(f"the Argilla in {folder} already runs at {_url(folder)}; stop it before starting it elsewhere")
    return _server(folder, pid)


def _server(folder: Path, pid: int) -> Server:
    credentials = ensure_credentials(folder)
    return Server(_url(folder), credentials.username, credentials.api_key, credentials_file(folder), pid, folder)


def _url(folder: Path) -> str:
    saved = read_json(folder / "server.json")
    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(saved["host"], saved["host"])
    return f"http://[{host}]:{saved['port']}" if ":" in host else f"http://{host}:{saved['port']}"


def _choose_port(folder: Path, host: str, port: int | None, say: Say) -> int:
    if port is not None:
        return _bind(host, port)
    saved = folder / "server.json"
    if saved.exists():
        # 0 where a restored server was never started.
        last = int(read_json(saved)["port"])
        try:
            return _bind(host, last)
        except UserError:
            say(f"port {last}, used last time, is taken; choosing another")
    return _bind(host, 0)


def _bind(host: str, port: int) -> int:
    """Return the port, or for 0 a free one, after making sure that it can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"cannot listen on {host} port {port} ({error}); stop what uses it, or ask for no particular port"
            ) from error
        return int(probe.getsockname()[1])


def _environment(folder: Path) -> dict[str, str]:
    """Return the user's environment without what would redirect the server: its data are this folder's."""
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARGILLA_")}
    # The server copies its web UI to a temporary folder at each start and never removes it.
    # The other two keep its log's lines whole.
    return kept | {"TMPDIR": str(temporary), "NO_COLOR": "1", "COLUMNS": "200"}


def _version(url: str) -> str | None:
    import httpx

    try:
        answer = httpx.get(f"{url}/api/v1/version", timeout=5, trust_env=False)
        return str(answer.raise_for_status().json()["version"])
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def _set_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name("argilla.log.1"))


def _tail(log: Path, lines: int, *, start: int = 0) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - 200 * lines - 100_000))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:])

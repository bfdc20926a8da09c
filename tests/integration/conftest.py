"""A real Argilla for every integration test that asks for one, and real databases for those that need them."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefloop.collect.embedded import Server, start_server, stop_server
from prefloop.models import ModelFolder, resolve_model


@pytest.fixture(scope="session")
def argilla(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a running, empty server; its environment under PREFLOOP_HOME is made once and kept.

    With PREFLOOP_TEST_POSTGRESQL set it is on PostgreSQL, so that any of these tests can be run over both databases.
    """
    folder = tmp_path_factory.mktemp("argilla")
    on_postgresql = os.environ.get("PREFLOOP_TEST_POSTGRESQL")
    yield start_server(folder, database=request.getfixturevalue("postgres").database() if on_postgresql else None)
    stop_server(folder)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """Return a random model that writes a letter a token."""
    from tiny_model import make_tiny_model

    folder = make_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-base", context=4096)
    return resolve_model(str(folder))


class Api:
    """The few REST calls the tests need, as one user."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"X-Argilla-Api-Key": key}, timeout=60)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, path, json=body, params=params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def workspace(self) -> str:
        return str(self.call("POST", "/workspaces", {"name": f"w{random.getrandbits(48):x}"})["id"])

    def annotator(self, workspace: str) -> dict[str, Any]:
        name = f"u{random.getrandbits(48):x}"
        user = self.call(
            "POST", "/users", {"first_name": name, "username": name, "password": "12345678", "role": "annotator"}
        )
        self.call("POST", f"/workspaces/{workspace}/users", {"user_id": user["id"]})
        return dict(user)

    def dataset(self, workspace: str, *, min_submitted: int = 1) -> str:
        distribution = {"strategy": "overlap", "min_submitted": min_submitted}
        body = {"name": f"d{random.getrandbits(48):x}", "workspace_id": workspace, "distribution": distribution}
        dataset = self.call("POST", "/datasets", body)["id"]
        for name, kind in (("prompt", "text"), ("answer", "text"), ("talk", "chat"), ("picture", "image")):
            field = {"name": name, "title": name, "required": name == "prompt", "settings": {"type": kind}}
            self.call("POST", f"/datasets/{dataset}/fields", field)
        choice = {"type": "label_selection", "options": [{"value": v, "text": v} for v in ("A", "B", "tie")]}
        strength = {"type": "rating", "options": [{"value": value} for value in range(1, 5)]}
        topics = {"type": "multi_label_selection", "options": [{"value": v, "text": v} for v in ("x", "y", "z")]}
        for name, kind_settings in (("choice", choice), ("strength", strength), ("topics", topics)):
            question = {"name": name, "title": name, "required": name == "choice", "settings": kind_settings}
            self.call("POST", f"/datasets/{dataset}/questions", question)
        for name, kind in (("source", "terms"), ("length", "integer"), ("priority", "float")):
            body = {"name": name, "title": name, "settings": {"type": kind}}
            self.call("POST", f"/datasets/{dataset}/metadata-properties", body)
        critique = {"name": "critique", "title": "critique", "required": False, "settings": {"type": "text"}}
        self.call("POST", f"/datasets/{dataset}/questions", critique)
        self.call("POST", f"/datasets/{dataset}/vectors-settings", {"name": "plane", "title": "plane", "dimensions": 2})
        self.call("PUT", f"/datasets/{dataset}/publish")
        return str(dataset)

    def add(self, dataset: str, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return list(self.call("POST", f"/datasets/{dataset}/records/bulk", {"items": list(items)})["items"])

    def add_numbered(self, dataset: str, count: int) -> list[dict[str, Any]]:
        names = range(count)
        return self.add(
            dataset, [{"external_id": f"r{n}", "fields": {"prompt": f"question number {n}"}} for n in names]
        )

    def search(self, dataset: str, *, me: bool = False, limit: int = 50, offset: int = 0, **query: Any) -> Any:
        path = f"{'/me' if me else ''}/datasets/{dataset}/records/search"
        return self.call("POST", path, query, limit=limit, offset=offset)

    def names(self, dataset: str, **query: Any) -> list[str]:
        return [item["record"]["external_id"] for item in self.search(dataset, **query)["items"]]

    def records(self, dataset: str) -> dict[str, Any]:
        listed = self.call("GET", f"/datasets/{dataset}/records", limit=1000, include="responses")["items"]
        return {record["external_id"]: record for record in listed}

    def progress(self, dataset: str) -> dict[str, int]:
        return dict(self.call("GET", f"/datasets/{dataset}/progress"))

    def vote(self, record: str, choice: str = "A", status: str = "submitted") -> Any:
        values = {"choice": {"value": choice}, "strength": {"value": 3}}
        return self.call("POST", f"/records/{record}/responses", {"values": values, "status": status})


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[str, str], Api]]:
    """Return a function that connects to a URL with a key; all connections are closed in the end."""
    with ExitStack() as stack:

        def connected(url: str, key: str) -> Api:
            api = Api(url, key)
            stack.enter_context(api.http)
            return api

        yield connected


@pytest.fixture(scope="session")
def eventually() -> Callable[..., bool]:
    """Return a function that waits for a condition and returns whether it came true."""

    def wait(condition: Callable[[], bool], seconds: float = 20) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.05)
        return condition()

    return wait


def program(name: str, package: str, folders: Sequence[Path] = ()) -> Path:
    """Return a program's path; without it the test skips, but never in CI."""
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found:
        return Path(found)
    why = f"{name} is not on this machine (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return a function that returns a port nobody listens on."""
    return a_port


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL; its password is where PGPASSFILE says."""

    port: int
    programs: Path
    password: str

    def database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"a{random.getrandbits(48):x}"
        host = ["--host=127.0.0.1", f"--port={self.port}", "--username=argilla"]
        subprocess.run([self.programs / "createdb", *host, name], check=True, capture_output=True)
        return f"postgresql://argilla@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL of the Debian package, with a password and in the locale that knows least of Unicode."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    programs = program("initdb", "postgresql", debian[-1:]).parent
    folder = Path(tempfile.mkdtemp(prefix="prefloop-postgres-"))
    data, port, password = folder / "data", a_port(), "s%cret:@/"
    (folder / "password").write_text(password)
    escaped = password.replace(":", r"\:")
    (folder / "pgpass").write_text(f"127.0.0.1:{port}:*:argilla:{escaped}")
    (folder / "pgpass").chmod(0o600)
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        as_user = ["runuser", "-u", "postgres", "--"]
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    login = ["-U", "argilla", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}"]
    made = [*as_user, programs / "initdb", "-D", data, *login, "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-o", options, "-l", folder / "log", "start"], check=True, stdout=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSFILE", str(folder / "pgpass"))
        patch.delenv("PGPASSWORD", raising=False)
        yield Postgres(port, programs, password)
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def argilla_on_postgresql(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a running Argilla whose data are in a PostgreSQL."""
    folder = tmp_path_factory.mktemp("argilla-postgresql")
    yield start_server(folder, database=postgres.database())
    stop_server(folder)


@pytest.fixture(scope="module", params=["argilla", "argilla_on_postgresql"], ids=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    """Return an Argilla on each database, for what must hold on both."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """Start a Redis with a password and return its URL."""
    folder, port = Path(tempfile.mkdtemp(prefix="prefloop-redis-")), a_port()
    settings = f"bind 127.0.0.1\nport {port}\ndir {folder}\nsave ''\nrequirepass secret\n"
    command = [program("redis-server", "redis-server"), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(settings)
        process.stdin.close()
        yield f"redis://:secret@127.0.0.1:{port}/0"
        process.terminate()
    shutil.rmtree(folder)

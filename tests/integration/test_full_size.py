"""Argilla as compose.lean.yaml starts it, but without containers: real PostgreSQL, Redis, worker; and the files."""

import json
import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefloop.collect.embedded.environment import POSTGRESQL, ensure_environment

ROOT = Path(__file__).parents[2]
FULL = ROOT / "docker" / "full"
FILES = ["compose.yaml", "compose.lean.yaml"]
STOP_SECONDS = 20
SECRET = re.compile("password|secret|key", re.IGNORECASE)


def compose(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


@pytest.mark.parametrize("name", FILES)
def test_every_name_in_a_compose_file_is_defined_in_it(name: str) -> None:
    file = compose(name)
    services = file["services"]
    assert {"server", "worker", "postgres", "redis"} <= set(services)
    assert ("elasticsearch" in services) == (name == "compose.yaml")
    for service in services.values():
        assert not set(service) - {
            *("image", "restart", "entrypoint", "command", "environment", "volumes", "networks", "secrets", "ports"),
            *("healthcheck", "depends_on"),
        }
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", service["image"]), "a version, not a moving tag"
        assert set(service["networks"]) <= set(file["networks"])
        assert set(service.get("secrets", [])) <= set(file["secrets"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in file["volumes"], source
        for needed, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[needed]
    assert [name for name, service in services.items() if "ports" in service] == ["server"]
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"])
    assert file["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", FILES)
def test_no_secret_stands_in_a_compose_file(name: str) -> None:
    file = compose(name)
    for service in file["services"].values():
        for variable, value in service.get("environment", {}).items():
            assert not SECRET.search(variable) or value.startswith("/run/secrets/"), variable
            assert "@" not in value or re.match(r"postgresql\+asyncpg://\w+@", value), "an address without a password"
            if value.startswith("/run/secrets/"):
                assert Path(value).name in service["secrets"]
    assert all(secret["file"].startswith("./secrets/") for secret in file["secrets"].values())


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([FULL / "secrets.sh", folder], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in folder.iterdir()}
        assert set(made) == set(compose("compose.yaml")["secrets"])
        assert len({*made.values()}) == len(made)
        assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in made.values())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = subprocess.run([FULL / "secrets.sh", folder], check=True, capture_output=True, text=True)
    assert again.stderr.count("is kept") == len(made)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    environment = os.environ | {"API_KEY_FILE": str(tmp_path / "none")}
    done = subprocess.run(
        [FULL / "entrypoint.sh", "true"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "API_KEY_FILE names" in done.stderr


@dataclass(frozen=True)
class Stack:
    """What compose.lean.yaml would start."""

    url: str
    api_key: str
    redis: str
    folder: Path


def environment_of(service: str, folder: Path, database: str, redis: str) -> dict[str, str]:
    """Return a service's environment as compose.lean.yaml has it, with this machine's addresses and paths in it."""
    declared: dict[str, str] = compose("compose.lean.yaml")["services"][service]["environment"]
    here = {
        "ARGILLA_HOME_PATH": str(folder),
        "ARGILLA_DATABASE_URL": database.replace("postgresql://", "postgresql+asyncpg://"),
        "ARGILLA_REDIS_URL": redis,
        "PYTHONPATH": str(folder / "code"),
    }
    assert set(here) <= set(declared)
    named = {name: value.replace("/run/secrets", str(folder / "secrets")) for name, value in declared.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ARGILLA_", "PG"))}
    return inherited | named | here


@pytest.fixture(scope="module")
def stack(
    postgres: Any, redis: str, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Stack]:
    """Start server and worker with the image's own steps: migrate, create the owner, uvicorn."""
    folder = tmp_path_factory.mktemp("stack")
    subprocess.run([FULL / "secrets.sh", folder / "secrets"], check=True, capture_output=True)
    (folder / "secrets" / "postgres_password").unlink()
    (folder / "secrets" / "postgres_password").write_text(postgres.password)
    (folder / "code").mkdir()
    (folder / "code" / "prefloop_argilla").symlink_to(ROOT / "collect" / "embedded" / "plugin")
    python = str(ensure_environment(lambda _: None, also=POSTGRESQL))
    database, port = postgres.database(), free_port()
    server, worker = (environment_of(name, folder, database, redis) for name in ("server", "worker"))
    secrets = {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
    account = ["--first-name", "owner", "--username", server["USERNAME"], "--role", "owner"]
    keys = ["--password", secrets["owner_password"], "--api-key", secrets["owner_api_key"]]
    argilla = [str(FULL / "entrypoint.sh"), python, "-m", "argilla_server", "database"]
    for step in (["migrate"], ["users", "create", *account, *keys]):
        subprocess.run([*argilla, *step], env=server, check=True, capture_output=True, cwd=folder)
    run = [str(FULL / "entrypoint.sh"), python, "-m"]
    worker_command = compose("compose.lean.yaml")["services"]["worker"]["command"][2:]
    with ExitStack() as running:
        log = running.enter_context((folder / "log").open("wb"))

        def start(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
            process = subprocess.Popen([*run, *command], env=environment, cwd=folder, stdout=log, stderr=log)
            running.callback(process.wait, STOP_SECONDS)
            running.callback(process.send_signal, signal.SIGTERM)
            return process

        start(["uvicorn", server["UVICORN_APP"], "--port", str(port)], server)
        url = f"http://127.0.0.1:{port}"
        start(worker_command, worker)
        yield Stack(url, secrets["owner_api_key"], redis, folder)


class Listener(HTTPServer):
    """A real HTTP listener for webhooks."""

    received: list[dict[str, Any]]


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = Listener(("127.0.0.1", 0), Handler)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/version", timeout=5).is_success
    except httpx.HTTPError:
        return False


def jobs_with_results(redis: str) -> int:
    """Return how many jobs rq's workers have run, by what they leave in Redis."""
    done = subprocess.run(
        ["redis-cli", "-u", redis, "KEYS", "rq:results:*"], check=True, capture_output=True, text=True
    )
    return len(done.stdout.split())


def test_jobs_run_in_the_worker(
    stack: Stack, connect: Callable[[str, str], Any], eventually: Callable[..., bool], listener: Listener
) -> None:
    assert eventually(lambda: answers(stack.url), 60), (stack.folder / "log").read_text()
    api = connect(stack.url, stack.api_key)
    status = api.call("GET", "/status")
    assert status["search_engine"] == {"name": "prefloop sql", "database": "postgresql"}
    api.call("POST", "/webhooks", {"url": f"http://127.0.0.1:{listener.server_port}", "events": ["response.created"]})
    workspace = api.workspace()
    dataset = api.dataset(workspace)
    records = api.add_numbered(dataset, 3)
    someone = connect(stack.url, api.annotator(workspace)["api_key"])
    for record in records[:2]:
        someone.vote(record["id"])
    assert api.progress(dataset)["completed"] == 2
    assert sorted(api.names(dataset, query={"text": {"q": "question 2"}})) == ["r2"]
    assert eventually(lambda: len(listener.received) == 2)

    for overlap, completed in ((2, 0), (1, 2)):
        body = {"distribution": {"strategy": "overlap", "min_submitted": overlap}}
        api.call("PATCH", f"/datasets/{dataset}", body)
        assert eventually(lambda wanted=completed: api.progress(dataset)["completed"] == wanted)
    assert eventually(lambda: jobs_with_results(stack.redis) >= 2), "they ran in the worker, not in the server"
    log = (stack.folder / "log").read_text()
    for path in (stack.folder / "secrets").iterdir():
        assert path.read_text() not in log


@pytest.fixture
def docker(postgres: Any, tmp_path: Path) -> dict[str, str]:
    """Stand in for `docker compose -f FILE exec -T postgres COMMAND`: the command runs here, on our PostgreSQL."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "docker"
    script.write_text('#!/bin/sh\n[ "$1 $2 $4 $5 $6" = "compose -f exec -T postgres" ] || exit 9\nshift 6\nexec "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}:{postgres.programs}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(postgres.port)}


def test_the_database_is_backed_up_and_restored(postgres: Any, docker: dict[str, str], tmp_path: Path) -> None:
    """The scripts name the database `argilla`."""

    def run(*command: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*map(str, command)], env=docker, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    def sql(database: str, statement: str) -> str:
        done = run("psql", "-U", "argilla", "-d", database, "-tAc", statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    sql("postgres", "CREATE DATABASE argilla")
    sql("argilla", "CREATE TABLE votes (id integer PRIMARY KEY); INSERT INTO votes SELECT generate_series(1, 1000)")
    assert run(FULL / "backup.sh", "a.dump").stdout == "backed up to a.dump\n"
    assert stat.S_IMODE((tmp_path / "a.dump").stat().st_mode) == 0o600
    assert run(FULL / "backup.sh", "a.dump").returncode == 2
    refused = run(FULL / "restore.sh", "a.dump", "compose.lean.yaml")
    assert (refused.returncode, "1 tables already" in refused.stderr) == (2, True)
    sql("postgres", "DROP DATABASE argilla")
    assert run(FULL / "backup.sh", "b.dump").returncode != 0
    assert [path.name for path in tmp_path.glob("b.dump*")] == [], "a failed backup leaves nothing"
    sql("postgres", "CREATE DATABASE argilla")
    restored = run(FULL / "restore.sh", "a.dump")
    assert restored.stdout == "restored from a.dump\n", restored.stderr
    assert sql("argilla", "SELECT count(*), sum(id) FROM votes") == "1000|500500"
    sql("postgres", "DROP DATABASE argilla")

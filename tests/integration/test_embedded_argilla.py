"""The embedded Argilla: jobs, webhooks, what survives a kill, what a start says. Searches are in search_engine/."""

import json
import os
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefloop.collect.embedded import Server, server_logs, server_status, start_server, stop_server
from prefloop.errors import UserError

Api = Any
"""conftest's class; its module cannot be imported."""
Connect = Callable[[str, str], Api]
Eventually = Callable[..., bool]


def text(q: str) -> dict[str, Any]:
    return {"text": {"q": q}}


@pytest.fixture(scope="module")
def api(argilla: Server, connect: Connect) -> Api:
    return connect(argilla.url, argilla.api_key)


@pytest.fixture(scope="module")
def workspace(api: Api) -> str:
    return str(api.workspace())


@pytest.fixture(scope="module")
def annotator(argilla: Server, api: Api, workspace: str, connect: Connect) -> Callable[[], Api]:
    return lambda: connect(argilla.url, api.annotator(workspace)["api_key"])


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A real HTTP listener and what it received."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append({"signature": self.headers["webhook-signature"], **json.loads(body)})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_are_delivered(
    api: Api,
    workspace: str,
    annotator: Callable[[], Api],
    listener: tuple[str, list[dict[str, Any]]],
    eventually: Eventually,
) -> None:
    url, received = listener
    events = ["record.created", "record.completed", "response.created", "dataset.published"]
    hook = api.call("POST", "/webhooks", {"url": url, "events": events, "description": "test"})
    try:
        dataset = api.dataset(workspace)
        record, _ = api.add_numbered(dataset, 2)
        annotator().vote(record["id"])
        assert eventually(lambda: len(received) >= 5)
    finally:
        api.call("DELETE", f"/webhooks/{hook['id']}")
    kinds = sorted(event["type"] for event in received)
    assert kinds == ["dataset.published", "record.completed", "record.created", "record.created", "response.created"]
    assert all(event["signature"].startswith("v1,") for event in received)
    response = next(event["data"] for event in received if event["type"] == "response.created")
    assert response["values"]["choice"] == {"value": "A"}
    assert response["record"]["external_id"] == "r0"


def test_an_import_job_runs_and_reports(
    argilla: Server, api: Api, workspace: str, eventually: Eventually, tmp_path: Path
) -> None:
    """A Hub import of a local folder: the same code path, no Hub needed."""
    rows = [{"q": f"imported {n}", "n": str(n)} for n in range(7)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = api.dataset(workspace)
    mapping = {"fields": [{"source": "q", "target": "prompt"}], "external_id": "n"}
    body = {"name": str(tmp_path), "subset": "default", "split": "train", "mapping": mapping}
    job = api.call("POST", f"/datasets/{dataset}/import", body)
    assert eventually(lambda: api.call("GET", f"/jobs/{job['id']}")["status"] in ("finished", "failed"), 60)
    assert api.call("GET", f"/jobs/{job['id']}")["status"] == "finished", server_logs(argilla.folder)
    assert sorted(api.names(dataset, query=text("imported"))) == [str(n) for n in range(7)]
    assert api.http.get("/jobs/nonsense").status_code == 404


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, connect: Connect, eventually: Eventually) -> None:
    with ThreadPoolExecutor() as pool:
        server, same = pool.map(start_server, [tmp_path / "argilla"] * 2)
    try:
        assert server == same, "two starts at once make one server"
        api = connect(server.url, server.api_key)
        workspace = api.workspace()
        dataset = api.dataset(workspace, min_submitted=2)
        records = api.add_numbered(dataset, 200)
        acknowledged: list[str] = []
        killer = threading.Timer(1.5, os.kill, (server.pid, signal.SIGKILL))
        killer.start()
        with suppress(httpx.HTTPError):
            for record in records:
                acknowledged.append(api.vote(record["id"])["id"])
        killer.join()
        assert eventually(lambda: not server_status(server.folder).running)
        assert server_status(server.folder).responses >= len(acknowledged) > 0

        with closing(sqlite3.connect(server.folder / "argilla.db")) as database, database:
            # What a kill between a vote and its consequences could leave: a wrong status, a text index cut off.
            database.execute("UPDATE records SET status = 'completed'")
            database.execute("DROP TRIGGER prefloop_text_inserted")
            database.execute("DELETE FROM prefloop_text")
        again = start_server(server.folder)
        assert again == replace(server, pid=again.pid), "the same address, account and key"
        stored = [response["id"] for record in api.records(dataset).values() for response in record["responses"]]
        assert set(acknowledged) <= set(stored)
        assert len(stored) <= len(acknowledged) + 1, "at most the vote that was under way"
        assert sorted(api.names(dataset, query=text("question"), limit=1000)) == sorted(api.records(dataset))
        unanswered = len(records) - len(stored)
        assert eventually(lambda: api.progress(dataset)["completed"] == unanswered)
    finally:
        stop_server(server.folder)
    status = server_status(server.folder)
    assert (status.running, status.datasets, status.records) == (False, 1, 200)


def test_starting_and_stopping(argilla: Server, tmp_path: Path) -> None:
    assert start_server(argilla.folder) == argilla
    with pytest.raises(UserError, match="already runs at"):
        start_server(argilla.folder, port=1)
    taken = int(argilla.url.rsplit(":", 1)[1])
    with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {taken}"):
        start_server(tmp_path, port=taken)
    assert stop_server(tmp_path) is False
    status = server_status(argilla.folder)
    assert (status.running, status.pid, status.url, status.version) == (True, argilla.pid, argilla.url, "2.8.0")


def test_no_secret_leaks(argilla: Server) -> None:
    secrets = json.loads(argilla.password_file.read_text())
    assert stat.S_IMODE(argilla.password_file.stat().st_mode) == 0o600
    assert argilla.api_key not in repr(argilla)
    log = server_logs(argilla.folder, 10_000)
    for name in ("password", "api_key", "auth_secret_key"):
        assert secrets[name] not in log
        for file in (Path(f"/proc/{argilla.pid}/cmdline"), Path(f"/proc/{argilla.pid}/environ")):
            assert not file.exists() or secrets[name].encode() not in file.read_bytes()


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "argilla.db").write_text("this is no database, but it is long enough to be looked at as one" * 10)
    with pytest.raises(UserError, match="file is not a database"):
        start_server(tmp_path)
    assert not server_status(tmp_path).running

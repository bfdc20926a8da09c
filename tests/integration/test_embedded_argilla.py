"""The embedded Argilla through its HTTP API: searching, queues, jobs, webhooks, and what survives a kill."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect.embedded import Server, server_logs, server_status, start_server, stop_server
from prefloop.errors import UserError

ANNOTATORS = 25
VOTING_SECONDS = 12

TEXTS = [
    ("a", "The cat sat on the mat", "cats are quiet animals"),
    ("b", "Dogs bark at the postman", "a cat watches the dog, and the cat sleeps near another cat"),
    ("c", "Rain falls on the roof", "the well-known drummer counts drops"),
    ("d", "Grüße aus Köln", "天气很好我们去公园"),
]


class Api:
    """The few REST calls the tests need, as one user."""

    def __init__(self, url: str, key: str) -> None:
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

    def search(self, dataset: str, *, me: bool = False, limit: int = 50, offset: int = 0, **query: Any) -> Any:
        path = f"{'/me' if me else ''}/datasets/{dataset}/records/search"
        return self.call("POST", path, query, limit=limit, offset=offset)

    def names(self, dataset: str, **query: Any) -> list[str]:
        return [item["record"]["external_id"] for item in self.search(dataset, **query)["items"]]

    def records(self, dataset: str) -> dict[str, Any]:
        listed = self.call("GET", f"/datasets/{dataset}/records", limit=1000, include="responses")["items"]
        return {record["external_id"]: record for record in listed}

    def vote(self, record: str, choice: str = "A", status: str = "submitted") -> Any:
        values = {"choice": {"value": choice}, "strength": {"value": 3}}
        return self.call("POST", f"/records/{record}/responses", {"values": values, "status": status})


def make_dataset(api: Api, workspace: str, *, min_submitted: int = 1) -> str:
    distribution = {"strategy": "overlap", "min_submitted": min_submitted}
    body = {"name": f"d{random.getrandbits(48):x}", "workspace_id": workspace, "distribution": distribution}
    dataset = api.call("POST", "/datasets", body)["id"]
    for name, kind in (("prompt", "text"), ("answer", "text"), ("talk", "chat"), ("picture", "image")):
        field = {"name": name, "title": name, "required": name == "prompt", "settings": {"type": kind}}
        api.call("POST", f"/datasets/{dataset}/fields", field)
    choice = {"type": "label_selection", "options": [{"value": v, "text": v} for v in ("A", "B", "tie")]}
    strength = {"type": "rating", "options": [{"value": value} for value in range(1, 5)]}
    topics = {"type": "multi_label_selection", "options": [{"value": v, "text": v} for v in ("x", "y", "z")]}
    for name, kind_settings in (("choice", choice), ("strength", strength), ("topics", topics)):
        question = {"name": name, "title": name, "required": name == "choice", "settings": kind_settings}
        api.call("POST", f"/datasets/{dataset}/questions", question)
    for name, kind in (("source", "terms"), ("length", "integer"), ("priority", "float")):
        body = {"name": name, "title": name, "settings": {"type": kind}}
        api.call("POST", f"/datasets/{dataset}/metadata-properties", body)
    api.call("POST", f"/datasets/{dataset}/vectors-settings", {"name": "plane", "title": "plane", "dimensions": 2})
    api.call("PUT", f"/datasets/{dataset}/publish")
    return str(dataset)


def add_records(api: Api, dataset: str, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(api.call("POST", f"/datasets/{dataset}/records/bulk", {"items": list(items)})["items"])


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"external_id": f"r{n}", "fields": {"prompt": f"question number {n}"}} for n in range(count)]


def question_id(api: Api, dataset: str, name: str) -> str:
    questions = api.call("GET", f"/datasets/{dataset}/questions")["items"]
    return next(str(question["id"]) for question in questions if question["name"] == name)


def terms(entity: str, values: Sequence[Any], **scope: Any) -> dict[str, Any]:
    return {"type": "terms", "scope": {"entity": entity, **scope}, "values": list(values)}


def within(entity: str, ge: Any = None, le: Any = None, **scope: Any) -> dict[str, Any]:
    return {"type": "range", "scope": {"entity": entity, **scope}, "ge": ge, "le": le}


def by(entity: str, order: str = "asc", **scope: Any) -> list[dict[str, Any]]:
    return [{"scope": {"entity": entity, **scope}, "order": order}]


def text(q: str, field: str | None = None) -> dict[str, Any]:
    return {"text": {"q": q, "field": field}}


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


Connect = Callable[[str, str], Api]


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    """Return a function that connects to a URL with a key; all connections are closed in the end."""
    with ExitStack() as stack:

        def connected(url: str, key: str) -> Api:
            api = Api(url, key)
            stack.enter_context(api.http)
            return api

        yield connected


@pytest.fixture(scope="module")
def api(argilla: Server, connect: Connect) -> Api:
    return connect(argilla.url, argilla.api_key)


@pytest.fixture(scope="module")
def annotator(argilla: Server, api: Api, workspace: str, connect: Connect) -> Callable[[], Api]:
    return lambda: connect(argilla.url, api.annotator(workspace)["api_key"])


@pytest.fixture(scope="module")
def workspace(api: Api) -> str:
    return api.workspace()


@pytest.fixture(scope="module")
def texts(api: Api, workspace: str) -> str:
    """Four records with texts, metadata, suggestions and vectors."""
    dataset = make_dataset(api, workspace)
    choice, topics = question_id(api, dataset, "choice"), question_id(api, dataset, "topics")
    metadata = [
        {"source": ["web", "book"], "length": 5, "priority": 0.5},
        {"source": "web", "length": 12, "priority": 0.125},
        {"source": "book", "length": 7},
        {},
    ]
    suggestions: list[list[dict[str, Any]]] = [
        [{"question_id": choice, "value": "A", "score": 0.9, "agent": "judge", "type": "model"}],
        [{"question_id": choice, "value": "B", "score": 0.2, "agent": "person", "type": "human"}],
        [{"question_id": topics, "value": ["x", "z"], "score": [0.1, 0.8], "agent": "judge"}],
        [],
    ]
    vectors = [{"plane": [1.0, 0.0]}, {"plane": [1.0, 1.0]}, {"plane": [-1.0, 0.0]}, {}]
    talk = [{"role": "user", "content": "what do lighthouses do"}, {"role": "assistant", "content": "they shine"}]
    rows = zip(TEXTS, metadata, suggestions, vectors, strict=True)
    add_records(
        api,
        dataset,
        [
            {
                "external_id": name,
                "fields": {"prompt": prompt, "answer": answer, "picture": "data:image/png;base64,cat"}
                | ({"talk": talk} if name == "c" else {}),
                "metadata": meta,
                "suggestions": suggested,
                "vectors": vector,
            }
            for (name, prompt, answer), meta, suggested, vector in rows
        ],
    )
    return dataset


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (text("cat"), ["b", "a"]),
        (text("CAT"), ["b", "a"]),
        (text("cat", "prompt"), ["a"]),
        (text("postman sleeps"), ["b"]),
        (text("postman sleeps", "prompt"), []),
        (text("rain | bark"), ["b", "c"]),
        (text("cat -dog"), ["a"]),
        (text("-cat"), ["c", "d"]),
        (text('"the mat"'), ["a"]),
        (text('"mat the"'), []),
        (text("post*"), ["b"]),
        (text("well-known"), ["c"]),
        (text("lighthouses shine"), ["c"]),
        (text("lighthouses", "talk"), ["c"]),
        (text("assistant"), []),
        (text("base64"), []),
        (text("köln"), ["d"]),
        (text("公园"), ["d"]),
        (text("???"), []),
        (text('"unclosed AND NEAR( *'), []),
    ],
)
def test_text_search(api: Api, texts: str, query: dict[str, Any], found: list[str]) -> None:
    names = api.names(texts, query=query)
    assert names == found if query["text"]["q"].lower() == "cat" else sorted(names) == found


@settings(max_examples=60, deadline=None)
@given(query=st.text(st.sampled_from("ab \"'*|-+()^:{}~\\\0\n天é😀_%$[]"), max_size=14) | st.text(max_size=30))
def test_no_text_query_breaks_the_search(api: Api, texts: str, query: str) -> None:
    assert api.search(texts, query=text(query))["total"] <= len(TEXTS)


def test_the_text_index_follows_the_records(api: Api, workspace: str) -> None:
    dataset = make_dataset(api, workspace)
    first, second = add_records(api, dataset, numbered(2))
    change = {"items": [{"id": first["id"], "fields": {"prompt": "something about whales"}}]}
    api.call("PUT", f"/datasets/{dataset}/records/bulk", change)
    assert api.names(dataset, query=text("whales")) == ["r0"]
    assert api.names(dataset, query=text("question")) == ["r1"]
    api.call("DELETE", f"/datasets/{dataset}/records", ids=f"{first['id']},{second['id']}")
    assert api.search(dataset, query=text("whales | question"))["total"] == 0
    add_records(api, dataset, numbered(2))
    api.call("DELETE", f"/datasets/{dataset}")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([terms("metadata", ["web"], metadata_property="source")], "ab"),
        ([terms("metadata", ["web", "book"], metadata_property="source")], "abc"),
        ([terms("metadata", [5, "12"], metadata_property="length")], "ab"),
        ([terms("metadata", ["0.50"], metadata_property="priority")], "a"),
        ([within("metadata", 6, 12, metadata_property="length")], "bc"),
        ([within("metadata", None, 0.125, metadata_property="priority")], "b"),
        ([terms("suggestion", ["A"], question="choice", property="value")], "a"),
        ([terms("suggestion", ["z"], question="topics", property="value")], "c"),
        ([terms("suggestion", ["judge"], question="choice", property="agent")], "a"),
        ([terms("suggestion", ["human"], question="choice", property="type")], "b"),
        ([within("suggestion", 0.5, None, question="choice", property="score")], "a"),
        ([within("suggestion", 0.5, None, question="topics", property="score")], "c"),
        ([terms("record", ["b", "d"], property="external_id")], "bd"),
        ([terms("record", ["pending"], property="status")], "abcd"),
        ([terms("record", ["completed"], property="status")], ""),
        ([within("record", "2020-01-01T00:00:00", None, property="inserted_at")], "abcd"),
        ([within("record", None, "2020-01-01T00:00:00Z", property="inserted_at")], ""),
        ([terms("response", ["pending"], property="status")], "abcd"),
        (
            [
                terms("metadata", ["web"], metadata_property="source"),
                within("metadata", 6, None, metadata_property="length"),
            ],
            "b",
        ),
    ],
)
def test_filters(api: Api, texts: str, filters: list[dict[str, Any]], found: str) -> None:
    answer = api.search(texts, filters={"and": filters})
    assert "".join(sorted(item["record"]["external_id"] for item in answer["items"])) == found
    assert answer["total"] == len(found)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (by("metadata", metadata_property="length"), "a c b d"),
        (by("metadata", "desc", metadata_property="priority"), "a b cd"),
        (by("metadata", "desc", metadata_property="source"), "ab c d"),
        (by("metadata", metadata_property="source"), "ac b d"),
        (by("suggestion", "desc", question="choice", property="score"), "a b cd"),
        (by("suggestion", question="choice", property="score"), "b a cd"),
        (by("suggestion", "desc", question="choice", property="agent"), "b a cd"),
        (by("record", "desc", property="external_id"), "d c b a"),
        (by("record", property="inserted_at"), "abcd"),
        (by("record", property="status") + by("record", "desc", property="external_id"), "d c b a"),
        (None, "abcd"),
    ],
)
def test_sorts(api: Api, texts: str, sort: list[dict[str, Any]] | None, order: str) -> None:
    """`order` has equals together; what has no value comes last either way."""
    names = iter(api.names(texts, sort=sort))
    assert " ".join("".join(sorted(next(names) for _ in equals)) for equals in order.split()) == order


def test_pages_do_not_overlap(api: Api, texts: str) -> None:
    pages = [api.search(texts, limit=3, offset=offset) for offset in (0, 3)]
    assert sorted(item["record"]["external_id"] for page in pages for item in page["items"]) == list("abcd")
    assert [page["total"] for page in pages] == [4, 4]


def test_vector_similarity(api: Api, texts: str) -> None:
    def near(**vector: Any) -> list[tuple[str, float]]:
        items = api.search(texts, query={"vector": {"name": "plane", **vector}})["items"]
        return [(item["record"]["external_id"], round(item["query_score"], 3)) for item in items]

    a = api.records(texts)["a"]["id"]
    assert near(value=[1.0, 0.0]) == [("a", 1.0), ("b", 0.854), ("c", 0.0)]
    assert near(value=[1.0, 0.0], order="least_similar") == [("c", 1.0), ("b", 0.146), ("a", 0.0)]
    assert near(record_id=a) == [("b", 0.854), ("c", 0.0)]
    body = {
        "query": {"vector": {"name": "plane", "value": [1.0, 0.0]}, **text("cat | rain")},
        "filters": {"and": [terms("metadata", ["web"], metadata_property="source")]},
    }
    assert api.names(texts, **body) == ["a", "b"]


def test_metadata_metrics(api: Api, texts: str) -> None:
    found = api.call("GET", f"/me/datasets/{texts}/metadata-properties")["items"]
    metrics = {item["name"]: api.call("GET", f"/metadata-properties/{item['id']}/metrics") for item in found}
    assert metrics["source"] == {
        "type": "terms",
        "total": 4,
        "values": [{"term": "book", "count": 2}, {"term": "web", "count": 2}],
    }
    assert metrics["length"] == {"type": "integer", "min": 5, "max": 12}
    assert metrics["priority"] == {"type": "float", "min": 0.125, "max": 0.5}


PENDING = {"and": [terms("response", ["pending"], property="status"), terms("record", ["pending"], property="status")]}


def test_queues(api: Api, workspace: str, annotator: Callable[[], Api]) -> None:
    dataset = make_dataset(api, workspace, min_submitted=2)
    add_records(api, dataset, numbered(30))
    first, second, third = annotator(), annotator(), annotator()

    orders = [user.names(dataset, me=True, filters=PENDING) for user in (first, second, first)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(api.records(dataset))

    records = api.records(dataset)
    chosen, drafted, discarded = orders[0][:3]
    first.vote(records[chosen]["id"])
    first.vote(records[drafted]["id"], status="draft")
    first.vote(records[discarded]["id"], status="discarded")
    assert first.names(dataset, me=True, filters=PENDING) == orders[0][3:]
    assert second.names(dataset, me=True, filters=PENDING) == orders[1], "one vote of two leaves the record open"
    second.vote(records[chosen]["id"], "B")
    assert chosen not in third.names(dataset, me=True, filters=PENDING), "two votes of two complete it"

    metrics = first.call("GET", f"/me/datasets/{dataset}/metrics")["responses"]
    assert metrics == {"total": 30, "submitted": 1, "draft": 1, "discarded": 1, "pending": 27}
    progress = api.call("GET", f"/datasets/{dataset}/progress")
    assert (progress["total"], progress["completed"], progress["pending"]) == (30, 1, 29)

    def mine(*filters: dict[str, Any]) -> list[str]:
        return sorted(first.names(dataset, me=True, filters={"and": list(filters)}))

    def of_anybody(*filters: dict[str, Any]) -> list[str]:
        return sorted(api.names(dataset, filters={"and": list(filters)}))

    assert mine(terms("response", ["draft"], property="status")) == [drafted]
    assert mine(terms("response", ["draft", "submitted"], property="status")) == sorted([drafted, chosen])
    assert mine(terms("response", ["B"], question="choice")) == []
    assert of_anybody(terms("response", ["B"], question="choice")) == [chosen]
    assert of_anybody(within("response", 3, 4, question="strength")) == sorted([chosen, drafted, discarded])
    assert len(of_anybody(terms("response", ["pending"], property="status"))) == 27
    assert of_anybody(terms("record", ["completed"], property="status")) == [chosen]
    ordered = api.names(dataset, sort=by("response", "desc", question="strength"))
    assert sorted(ordered[:3]) == sorted([chosen, drafted, discarded])

    response = api.records(dataset)[chosen]["responses"][0]
    api.call("DELETE", f"/responses/{response['id']}")
    assert of_anybody(terms("record", ["completed"], property="status")) == []


def test_a_new_overlap_recomputes_every_status(api: Api, workspace: str, annotator: Callable[[], Api]) -> None:
    dataset = make_dataset(api, workspace, min_submitted=1)
    records = add_records(api, dataset, numbered(3))
    someone = annotator()
    for record in records[:2]:
        someone.vote(record["id"])
    assert api.call("GET", f"/datasets/{dataset}/progress")["completed"] == 2
    for overlap, completed in ((2, 0), (1, 2)):
        body = {"distribution": {"strategy": "overlap", "min_submitted": overlap}}
        api.call("PATCH", f"/datasets/{dataset}", body)
        assert until(lambda wanted=completed: api.call("GET", f"/datasets/{dataset}/progress")["completed"] == wanted)


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
    api: Api, workspace: str, annotator: Callable[[], Api], listener: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = listener
    events = ["record.created", "record.completed", "response.created", "dataset.published"]
    hook = api.call("POST", "/webhooks", {"url": url, "events": events, "description": "test"})
    try:
        dataset = make_dataset(api, workspace)
        record, _ = add_records(api, dataset, numbered(2))
        annotator().vote(record["id"])
        assert until(lambda: len(received) >= 5)
    finally:
        api.call("DELETE", f"/webhooks/{hook['id']}")
    kinds = sorted(event["type"] for event in received)
    assert kinds == ["dataset.published", "record.completed", "record.created", "record.created", "response.created"]
    assert all(event["signature"].startswith("v1,") for event in received)
    response = next(event["data"] for event in received if event["type"] == "response.created")
    assert response["values"]["choice"] == {"value": "A"}
    assert response["record"]["external_id"] == "r0"


def test_an_import_job_runs_and_reports(argilla: Server, api: Api, workspace: str, tmp_path: Path) -> None:
    """A Hub import of a local folder: the same code path, no Hub needed."""
    rows = [{"q": f"imported {n}", "n": str(n)} for n in range(7)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = make_dataset(api, workspace)
    mapping = {"fields": [{"source": "q", "target": "prompt"}], "external_id": "n"}
    body = {"name": str(tmp_path), "subset": "default", "split": "train", "mapping": mapping}
    job = api.call("POST", f"/datasets/{dataset}/import", body)
    assert until(lambda: api.call("GET", f"/jobs/{job['id']}")["status"] in ("finished", "failed"), 60)
    assert api.call("GET", f"/jobs/{job['id']}")["status"] == "finished", server_logs(argilla.folder)
    assert sorted(api.names(dataset, query=text("imported"))) == [str(n) for n in range(7)]
    assert api.http.get("/jobs/nonsense").status_code == 404


async def annotate(url: str, key: str, dataset: str, deadline: float, seen: list[int], voted: list[str]) -> None:
    """Work like the web UI: fetch a page of the queue, vote on each record, look at the progress."""
    headers = {"X-Argilla-Api-Key": key}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
        while time.monotonic() < deadline:
            page = await client.post(f"/me/datasets/{dataset}/records/search?limit=5", json={"filters": PENDING})
            seen.append(page.status_code)
            for item in page.json()["items"] if page.is_success else []:
                body = {"values": {"choice": {"value": "A"}}, "status": "submitted"}
                answer = await client.post(f"/records/{item['record']['id']}/responses", json=body)
                seen.append(answer.status_code)
                if answer.is_success:
                    voted.append(answer.json()["id"])
            seen.append((await client.get(f"/me/datasets/{dataset}/metrics")).status_code)


def test_many_annotators_at_once(argilla: Server, api: Api, workspace: str) -> None:
    dataset = make_dataset(api, workspace, min_submitted=3)
    add_records(api, dataset, numbered(300))
    keys = [api.annotator(workspace)["api_key"] for _ in range(ANNOTATORS)]
    seen: list[int] = []
    voted: list[str] = []

    async def all_at_once() -> None:
        deadline = time.monotonic() + VOTING_SECONDS
        await asyncio.gather(*(annotate(argilla.url, key, dataset, deadline, seen, voted) for key in keys))

    asyncio.run(all_at_once())
    assert set(seen) <= {200, 201}
    assert len(voted) > 4 * ANNOTATORS
    records = api.records(dataset).values()
    assert sorted(response["id"] for record in records for response in record["responses"]) == sorted(voted)
    wrong = [r["external_id"] for r in records if (r["status"] == "completed") != (len(r["responses"]) >= 3)]
    assert wrong == []


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, connect: Connect) -> None:
    with ThreadPoolExecutor() as pool:
        server, same = pool.map(start_server, [tmp_path / "argilla"] * 2)
    try:
        assert server == same, "two starts at once make one server"
        api = connect(server.url, server.api_key)
        workspace = api.workspace()
        dataset = make_dataset(api, workspace, min_submitted=2)
        records = add_records(api, dataset, numbered(200))
        acknowledged: list[str] = []
        killer = threading.Timer(1.5, os.kill, (server.pid, signal.SIGKILL))
        killer.start()
        with suppress(httpx.HTTPError):
            for record in records:
                acknowledged.append(api.vote(record["id"])["id"])
        killer.join()
        assert until(lambda: not server_status(server.folder).running)
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
        assert until(lambda: api.call("GET", f"/datasets/{dataset}/progress")["completed"] == unanswered)
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

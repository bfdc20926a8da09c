"""The embedded Argilla's fast routes: they take what the stock routes take, and what comes out is the same."""

import json
import logging
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefloop.collect import (
    Argilla,
    CollectSettings,
    Item,
    Message,
    Origin,
    Vote,
    ensure_annotators,
    open_queue,
    pull,
    push,
    replay,
)
from prefloop.collect.queues.records import digest, record_digests, record_ids
from prefloop.collect.sides import left_side
from prefloop.errors import UserError

KEY = b"a side key for tests"
PEOPLE = ("sync-ann", "sync-bo", "sync-cy")
ORIGIN = Origin("person", "author")


class Stock(Argilla):
    """A connection for which the server has nothing but Argilla's own routes."""

    def get_if_there(self, path):
        return None


@pytest.fixture(scope="module")
def owner(server):
    with Argilla(server.url, server.api_key) as connection:
        yield connection


@pytest.fixture(scope="module")
def stock(server):
    with Stock(server.url, server.api_key) as connection:
        yield connection


@pytest.fixture
def make_queue(owner, tmp_path):
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("Choose the better answer.")

    def make():
        name = f"sync-{uuid4().hex}"
        return open_queue(owner, CollectSettings(items=tmp_path / "items.jsonl", guidelines=guidelines, queue=name))

    return make


def make_items(count, start=0):
    return [
        Item((Message("user", f"Prompt {n}\n\u2028<b>é</b>"),), f"a {n}", f"b {n}", ORIGIN, ORIGIN)
        for n in range(start, start + count)
    ]


def vote(item, who, choice="A", **more):
    return Vote(item.id, who, choice, left_side(KEY, item.id), **more)


def pulled_in_all_ways(owner, stock, queue, known, mirror):
    """Pull by the mirror, as a whole, and from the stock routes; all must be the same."""
    changed = pull(owner, queue, KEY, known, mirror=mirror)
    whole = pull(owner, queue, KEY, known)
    scanned = pull(stock, queue, KEY, known)
    assert repr(changed.votes) == repr(whole.votes) == repr(scanned.votes)
    for one in (changed, scanned):
        assert (one.items, one.unanswered, one.foreign) == (whole.items, whole.unanswered, whole.foreign)
    assert scanned.incremental is None
    return changed


# What goes in: the contract between the stock bulk route and ours.

FIELDS = [
    {"name": "prompt", "title": "p", "required": True, "settings": {"type": "chat"}},
    {"name": "text", "title": "t", "required": True, "settings": {"type": "text"}},
    {"name": "page", "title": "c", "required": False, "settings": {"type": "custom", "template": "<i></i>"}},
    {"name": "image", "title": "i", "required": False, "settings": {"type": "image"}},
]
METADATA = [
    {"name": "kind", "title": "k", "settings": {"type": "terms", "values": ["a", "b"]}},
    {"name": "size", "title": "s", "settings": {"type": "integer", "min": 0, "max": 9}},
]
QUESTION = {
    "name": "which",
    "title": "w",
    "required": True,
    "settings": {"type": "label_selection", "options": [{"value": "x", "text": "X"}, {"value": "y", "text": "Y"}]},
}
ANY = (
    st.none()
    | st.booleans()
    | st.integers(-3, 20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
JSON = st.recursive(
    ANY, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner), max_leaves=4
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "", "r" * 20, "r" * 21]), "content": TEXT | st.just("x" * 20_001)},
    optional={"tool": TEXT},
)
IMAGE = st.sampled_from(["https://a.example/x.png", "https://a.example", "ftp://x", "data:image/png;base64,aa", "x", 3])
GOOD = {"fields": {"prompt": [{"role": "user", "content": "hi"}], "text": "fine"}}
FIELD = (
    st.fixed_dictionaries({"prompt": st.lists(MESSAGE, max_size=3) | JSON})
    | st.fixed_dictionaries({"text": TEXT | JSON})
    | st.fixed_dictionaries({"page": st.just({"a": {"_sa_b": 1, "c": [1, None]}}) | JSON})
    | st.fixed_dictionaries({"image": IMAGE})
    | st.fixed_dictionaries({"other": TEXT})
)
SUGGESTION = st.fixed_dictionaries(
    {"value": st.sampled_from(["x", "y", "z", 1]), "own": st.sampled_from([True, True, False])},
    optional={"score": st.sampled_from([0.5, 2, [0.1]]), "agent": st.sampled_from(["m/1", "?", ""])},
)
METADATA_OF_ROW = st.fixed_dictionaries(
    {}, optional={"kind": st.sampled_from(["a", "b", "c", 1]), "size": st.integers(-1, 10), "extra": JSON}
)
REST = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.none() | METADATA_OF_ROW,
        "suggestions": st.lists(SUGGESTION, max_size=2),
        "external_id": st.sampled_from(["twice", "", "é\u2028"]),
    },
)
ROW = st.builds(lambda field, rest: {"fields": GOOD["fields"] | field, **rest}, st.just({}) | FIELD, st.just({}) | REST)


@pytest.fixture(scope="module")
def twins(owner):
    """Return two datasets of the same form, and their questions' ids."""
    workspace = owner.call("POST", "/workspaces", body={"name": f"w{uuid4().hex}"})["id"]

    def make(name):
        dataset = owner.call("POST", "/datasets", body={"name": name, "workspace_id": workspace})["id"]
        for field in FIELDS:
            owner.call("POST", f"/datasets/{dataset}/fields", body=field)
        question = owner.call("POST", f"/datasets/{dataset}/questions", body=QUESTION)["id"]
        for property in METADATA:
            owner.call("POST", f"/datasets/{dataset}/metadata-properties", body=property)
        owner.call("PUT", f"/datasets/{dataset}/publish")
        return dataset, question

    return make("one"), make("two")


def shown(record):
    """Return what a reader sees of a record, without what is every record's own."""
    own = ("id", "dataset_id", "question_id", "inserted_at", "updated_at")
    suggestions = [{k: v for k, v in row.items() if k not in own} for row in record["suggestions"]]
    return {k: v for k, v in record.items() if k not in own} | {"suggestions": suggestions}


def everything(owner, dataset):
    page = owner.call("GET", f"/datasets/{dataset}/records?limit=1000&include=suggestions&include=responses")
    assert page["total"] == len(page["items"])
    return {row["external_id"]: shown(row) for row in page["items"]}


def refusal(owner, path, rows):
    """Return why the server refuses the rows, None where it takes them."""
    try:
        owner.call("POST", path, body={"items": rows})
    except UserError as error:
        return str(error)
    return None


def test_the_fast_route_takes_what_the_stock_one_takes_and_nothing_else(owner, twins):
    (one, its_question), (two, other_question) = twins
    seen = {"taken": 0, "refused": 0}

    def rows_of(rows, question, number):
        made = []
        for place, row in enumerate(rows):
            suggestions = [
                {k: v for k, v in given.items() if k != "own"}
                | {"question_id": question if given["own"] else str(UUID(int=7))}
                for given in row.get("suggestions", [])
            ]
            ident = {"external_id": f"{number}-{place}-{row.get('external_id', place)}"}
            if row.get("external_id") == "twice":
                ident = {"external_id": f"{number}-twice"}
            made.append({**row, **ident} | ({"suggestions": suggestions} if "suggestions" in row else {}))
        return made

    @settings(max_examples=100, deadline=None)
    @given(st.lists(ROW, min_size=1, max_size=2))
    def same(rows):
        number = sum(seen.values())
        by_stock = refusal(owner, f"/datasets/{one}/records/bulk", rows_of(rows, its_question, number))
        by_ours = refusal(owner, f"/prefloop/datasets/{two}/records", rows_of(rows, other_question, number))
        seen["refused" if by_stock else "taken"] += 1
        assert (by_stock is None) == (by_ours is None), (by_stock, by_ours)
        assert by_ours is None or "HTTP 422" in by_ours

    same()
    assert min(seen.values()) >= 20, seen
    assert everything(owner, one) == everything(owner, two)
    assert record_digests(owner, one) == record_digests(owner, two)


def test_beyond_the_stock_checks_a_record_needs_an_external_id_and_brings_no_responses(owner, twins):
    _, (dataset, _) = twins
    path = f"/prefloop/datasets/{dataset}/records"
    assert "no external_id" in refusal(owner, path, [GOOD])
    user = owner.call("GET", "/me")["id"]
    answer = {"user_id": user, "status": "submitted", "values": {"which": {"value": "x"}}}
    assert "own route" in refusal(owner, path, [GOOD | {"external_id": "r", "responses": [answer]}])
    assert refusal(owner, path, [])
    assert refusal(owner, path, [GOOD | {"external_id": f"many-{n}"} for n in range(501)])
    draft = owner.call("POST", "/datasets", body={"name": uuid4().hex, "workspace_id": workspace_of(owner, dataset)})
    assert "non published" in refusal(owner, f"/prefloop/datasets/{draft['id']}/records", [GOOD | {"external_id": "x"}])
    with pytest.raises(UserError, match="HTTP 404"):
        owner.call("POST", f"/prefloop/datasets/{uuid4()}/records", body={"items": [GOOD | {"external_id": "x"}]})


def workspace_of(owner, dataset):
    return owner.call("GET", f"/datasets/{dataset}")["workspace_id"]


def test_pushing_at_the_same_moment_adds_every_item_once(owner, server, make_queue):
    queue, items = make_queue(), make_items(700)

    def push_all(_):
        with Argilla(server.url, server.api_key) as connection:
            return push(connection, queue, items, KEY)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(push_all, range(3)))
    assert owner.call("GET", f"/datasets/{queue.id}/progress")["total"] == 700
    found = [row for row, _ in owner.records(queue.id, responses=False)]
    assert [row["external_id"] for row in sorted(found, key=lambda row: row["inserted_at"])] != []
    assert len({row["inserted_at"] for row in found}) > 600, "stock paging needs times that differ"


def test_ids_and_digests_are_the_same_from_the_stock_routes(owner, stock, make_queue):
    queue, items = make_queue(), make_items(30)
    push(owner, queue, items[:20], KEY)
    push(stock, queue, items, KEY)
    assert record_ids(owner, queue.id) == record_ids(stock, queue.id)
    digests = record_digests(owner, queue.id)
    assert digests == record_digests(stock, queue.id)
    assert digests.keys() == {item.id for item in items}
    [row] = [row for row, _ in owner.records(queue.id, responses=False) if row["external_id"] == items[0].id]
    assert digests[items[0].id] == digest(row["fields"])


def test_only_the_owner_may_use_the_routes(owner, make_queue):
    queue = make_queue()
    [account] = ensure_annotators(owner, queue, PEOPLE[:1])
    base = f"/prefloop/datasets/{queue.id}"
    with Argilla(owner.url, account.api_key) as annotator:
        for path in ("records", "records/digests", "records/sums", "responses", "responses/sums"):
            with pytest.raises(UserError, match="does not allow"):
                annotator.call("GET", f"{base}/{path}")
        with pytest.raises(UserError, match="does not allow"):
            annotator.call("POST", f"{base}/records", body={"items": [GOOD | {"external_id": "x"}]})


# What comes out.

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "submit", "submit", "discard", "draft", "clear", "drop", "push", "pull"]),
        st.integers(0, 2),
        st.integers(0, 30),
        st.sampled_from(["A", "B", "tie", "both_bad"]),
    ),
    min_size=6,
    max_size=16,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happened_between_two_pulls_only_what_changed_is_enough(owner, stock, make_queue, tmp_path, steps):
    queue, mirror = make_queue(), tmp_path / f"{uuid4().hex}.jsonl"
    items = make_items(4)
    push(owner, queue, items, KEY)
    accounts = ensure_annotators(owner, queue, PEOPLE)
    for step, who, number, choice in [*steps, ("pull", 0, 0, "A")]:
        item, name = items[number % len(items)], PEOPLE[who]
        status = {"discard": "discarded", "draft": "draft"}.get(step, "submitted")
        if step in ("submit", "discard", "draft") and item.id in record_ids(owner, queue.id):
            replay(owner, queue, [vote(item, name, choice, status=status, critique=f"é {number}")], KEY)
        elif step == "clear":
            with Argilla(owner.url, accounts[who].api_key) as annotator:
                clear(annotator, owner, queue, number)
        elif step == "drop":
            ids = list(record_ids(owner, queue.id).values())
            owner.call("DELETE", f"/datasets/{queue.id}/records?ids={ids[number % len(ids)]}") if ids else None
        elif step == "push":
            items += make_items(1 + number % 3, len(items))
            push(owner, queue, items, KEY)
        elif step == "pull":
            pulled_in_all_ways(owner, stock, queue, [item.id for item in items[:-1]], mirror)


def clear(annotator, owner, queue, number):
    me = annotator.call("GET", "/me")["id"]
    mine = [
        answer["id"]
        for row, _ in owner.records(queue.id, responses=True)
        for answer in row["responses"]
        if answer["user_id"] == me
    ]
    if mine:
        annotator.call("DELETE", f"/responses/{mine[number % len(mine)]}")


def test_ten_new_votes_do_not_re_read_the_rest(owner, stock, make_queue, tmp_path):
    queue, items, mirror = make_queue(), make_items(120), tmp_path / "mirror.jsonl"
    push(owner, queue, items, KEY)
    known = [item.id for item in items]
    replay(owner, queue, [vote(item, "sync-ann") for item in items[:100]], KEY)
    first = pulled_in_all_ways(owner, stock, queue, known, mirror)
    assert (first.responses_read, first.incremental) == (100, False)
    replay(owner, queue, [vote(item, "sync-bo", "B") for item in items[:5]], KEY)
    replay(owner, queue, [vote(item, "sync-ann", "tie") for item in items[5:10]], KEY)
    second = pulled_in_all_ways(owner, stock, queue, known, mirror)
    assert len(second.votes) == 105
    # And the newest of those known before: another may have been written in the same microsecond.
    assert (second.responses_read, second.incremental) == (11, True)
    assert pull(owner, queue, KEY, known, mirror=mirror, full=True).responses_read == 105
    assert pull(owner, queue, KEY, known, mirror=mirror).votes == second.votes


@pytest.fixture
def sql(server, request):
    """Return a function that writes into the server's database behind its back."""
    file = server.folder / "argilla.db"

    def execute(statement, **values):
        def literal(name):
            kind = "timestamp" if name == "time" else "uuid"
            value = values[name].replace("-", "") if file.exists() and kind == "uuid" else values[name]
            return f"'{value}'" if file.exists() else f"'{value}'::{kind}"

        text = statement.format(**{name: literal(name) for name in values})
        if file.exists():
            with closing(sqlite3.connect(file, timeout=30)) as database, database:
                database.execute(text)
            return
        url = json.loads((server.folder / "server.json").read_text())["database"]
        psql = request.getfixturevalue("postgres").programs / "psql"
        subprocess.run([psql, url, "-v", "ON_ERROR_STOP=1", "-qc", text], check=True, capture_output=True)

    return execute


def test_what_no_time_tells_is_found_by_the_sums(owner, stock, sql, make_queue, tmp_path):
    """A transaction committed late, a clock set back, a row that was deleted while another came."""
    queue, items, mirror = make_queue(), make_items(40), tmp_path / "mirror.jsonl"
    push(owner, queue, items, KEY)
    known = [item.id for item in items]
    replay(owner, queue, [vote(item, "sync-ann") for item in items], KEY)
    ids = sorted(one.id for one in pulled_in_all_ways(owner, stock, queue, known, mirror).votes)
    past, person = "2020-01-01 00:00:00.000000", owner.call("GET", "/me")["id"]
    sql("UPDATE responses SET status = 'draft', updated_at = {time} WHERE id = {id}", time=past, id=ids[0])
    sql(
        'INSERT INTO responses (id, updated_at, "values", status, record_id, user_id, inserted_at) '
        'SELECT {late}, {time}, "values", status, record_id, {person}, inserted_at FROM responses WHERE id = {id}',
        late=ids[1][:-4] + "ffff",
        time=past,
        person=person,
        id=ids[1],
    )
    for gone in ids[1:3]:
        sql("DELETE FROM responses WHERE id = {id}", id=gone)
    again = pulled_in_all_ways(owner, stock, queue, known, mirror)
    assert len(again.votes) == 39
    assert again.incremental
    assert again.responses_read < 20, "only the buckets that differ"


def test_times_near_the_end_of_a_second_sum_up_alike(owner, sql, make_queue, tmp_path):
    queue, items, mirror = make_queue(), make_items(12), tmp_path / "mirror.jsonl"
    push(owner, queue, items, KEY)
    replay(owner, queue, [vote(item, "sync-ann") for item in items], KEY)
    for number, record in enumerate(record_ids(owner, queue.id).values()):
        time = f"2026-11-21 23:59:59.999{491 + number}"
        sql("UPDATE responses SET updated_at = {time} WHERE record_id = {id}", time=time, id=record)
    pull(owner, queue, KEY, [], mirror=mirror)
    assert pull(owner, queue, KEY, [], mirror=mirror).responses_read == 1


def test_a_records_status_follows_its_answers(owner, make_queue):
    """The server is asked whether a status changes before it is written; it must change when it has to."""
    queue, [item] = make_queue(), make_items(1)
    push(owner, queue, [item], KEY)
    owner.call("PATCH", f"/datasets/{queue.id}", body={"distribution": {"strategy": "overlap", "min_submitted": 2}})
    accounts = ensure_annotators(owner, queue, PEOPLE)

    def status():
        [(row, _)] = owner.records(queue.id, responses=False)
        return row["status"]

    def answer(who, status="submitted"):
        replay(owner, queue, [vote(item, PEOPLE[who], status=status)], KEY)

    for who, wanted, expected in [
        (0, "submitted", "pending"),
        (1, "draft", "pending"),
        (1, "submitted", "completed"),
        (2, "submitted", "completed"),
        (2, "discarded", "completed"),
        (1, "discarded", "pending"),
        (1, "submitted", "completed"),
    ]:
        answer(who, wanted)
        assert status() == expected
    with Argilla(owner.url, accounts[0].api_key) as annotator:
        clear(annotator, owner, queue, 0)
    assert status() == "pending"


def test_who_listens_is_told_of_records_that_came_by_the_fast_route(owner, make_queue, eventually):
    heard = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((body["type"], body["data"]["external_id"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    queue, items = make_queue(), make_items(2)
    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    hook = {"url": f"http://127.0.0.1:{listener.server_port}", "events": ["record.created"], "description": "test"}
    webhook = owner.call("POST", "/webhooks", body=hook)["id"]
    try:
        push(owner, queue, items, KEY)
        push(owner, queue, items, KEY)
        assert eventually(lambda: len(heard) >= 2)
    finally:
        owner.call("DELETE", f"/webhooks/{webhook}")
        listener.shutdown()
        listener.server_close()
    assert sorted(heard) == sorted(("record.created", item.id) for item in items)


def test_a_mirror_that_cannot_be_used_is_read_anew(owner, make_queue, tmp_path, caplog):
    queue, items, mirror = make_queue(), make_items(3), tmp_path / "mirror.jsonl"
    push(owner, queue, items, KEY)
    replay(owner, queue, [vote(item, "sync-ann") for item in items], KEY)
    known = [item.id for item in items]
    whole = pull(owner, queue, KEY, known, mirror=mirror)
    mirror.write_text(mirror.read_text()[:-30])
    with caplog.at_level(logging.WARNING):
        again = pull(owner, queue, KEY, known, mirror=mirror)
    assert "reading the whole queue" in caplog.text
    assert replace(again, responses_read=0) == replace(whole, responses_read=0)
    assert Path(mirror).read_text().count("\n") == 6

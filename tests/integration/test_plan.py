"""Queues that follow a plan: exact overlap with leases, priority, gold and assignment, through the HTTP API."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefloop.collect import (
    Argilla,
    CollectSettings,
    Item,
    Message,
    Origin,
    Planned,
    QueueingSettings,
    features,
    items_over,
    open_queue,
    push,
    send_plan,
)
from prefloop.collect.embedded import Server

Api = Any
"""conftest's class; its module cannot be imported."""
Annotator = Callable[[], Api]

QUEUE = {
    "filters": {
        "and": [
            {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]},
            {"type": "terms", "scope": {"entity": "record", "property": "status"}, "values": ["pending"]},
        ]
    }
}
"""What the web UI sends for the annotation page, with offset and limit."""
SHORT = 0.02
"""Minutes of a lease that a test can wait for."""


@pytest.fixture(scope="module")
def api(server: Server, connect: Callable[[str, str], Api]) -> Api:
    return connect(server.url, server.api_key)


@pytest.fixture(scope="module")
def workspace(api: Api) -> str:
    return str(api.workspace())


@pytest.fixture(scope="module")
def annotator(server: Server, api: Api, workspace: str, connect: Callable[[str, str], Api]) -> Annotator:
    def make() -> Api:
        user = api.annotator(workspace)
        connected = connect(server.url, user["api_key"])
        connected.username = user["username"]
        return connected

    return make


def plan(api: Api, dataset: str, **body: Any) -> Any:
    return api.call("PUT", f"/prefloop/datasets/{dataset}/plan", body)


def queue(user: Api, dataset: str, *, offset: int = 0, limit: int = 10) -> list[str]:
    return list(user.names(dataset, me=True, offset=offset, limit=limit, **QUEUE))


def test_two_annotators_never_waste_a_third_vote(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=2)
    records = {row["external_id"]: row["id"] for row in api.add_numbered(dataset, 4)}
    plan(api, dataset, exact_overlap=True)
    first, second, third = annotator(), annotator(), annotator()

    mine = queue(first, dataset)
    assert len(mine) == 2, "half a fair share of four records"
    assert queue(first, dataset) == mine, "the same page again takes nothing more"
    seen = Counter(mine)
    for user in (second, third):
        while new := [name for name in queue(user, dataset) if name not in seen or seen[name] < 2]:
            for name in new:
                user.vote(records[name])
                seen[name] += 1
    assert all(seen[name] == 2 for name in records), "each record is wanted twice"
    for name in mine:
        first.vote(records[name])
    for user in (first, second, third):
        assert queue(user, dataset) == []
    answers = {name: len(record["responses"]) for name, record in api.records(dataset).items()}
    assert answers == dict.fromkeys(records, 2)
    assert api.progress(dataset)["completed"] == 4
    assert api.call("GET", f"/prefloop/datasets/{dataset}/plan")["over"] == []


def test_a_lease_ends_with_time_and_late_answers_count(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    [record] = api.add_numbered(dataset, 1)
    plan(api, dataset, exact_overlap=True, lease_minutes=SHORT)
    slow, quick = annotator(), annotator()
    assert queue(slow, dataset) == ["r0"]
    assert queue(quick, dataset) == []
    assert queue(slow, dataset) == ["r0"], "asking again renews it"
    time.sleep(60 * SHORT)
    assert queue(quick, dataset) == ["r0"]
    assert queue(slow, dataset) == [], "somebody else has it now"
    quick.vote(record["id"], "B")
    slow.vote(record["id"], "A")
    assert len(api.records(dataset)["r0"]["responses"]) == 2, "a late answer is an answer"
    assert api.call("GET", f"/prefloop/datasets/{dataset}/plan")["over"] == ["r0"]


def test_drafts_hold_and_discards_free(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    [record] = api.add_numbered(dataset, 1)
    plan(api, dataset, exact_overlap=True, lease_minutes=SHORT)
    first, second, third = annotator(), annotator(), annotator()
    assert queue(first, dataset) == ["r0"]
    draft = first.vote(record["id"], status="draft")
    time.sleep(60 * SHORT)
    assert queue(second, dataset) == [], "whoever saves a draft comes back"
    first.call("PUT", f"/responses/{draft['id']}", {"status": "discarded"})
    assert queue(second, dataset) == ["r0"]
    second.vote(record["id"], status="discarded")
    assert queue(third, dataset) == ["r0"]
    third.vote(record["id"])
    assert api.progress(dataset)["completed"] == 1


def test_whoever_works_keeps_the_page_and_whoever_skips_gives_back(
    api: Api, workspace: str, annotator: Annotator
) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    records = {row["external_id"]: row["id"] for row in api.add_numbered(dataset, 30)}
    plan(api, dataset, exact_overlap=True, lease_minutes=2 * SHORT)
    worker, skipper, other = annotator(), annotator(), annotator()
    page = queue(worker, dataset)
    deadline = time.monotonic() + 3 * 60 * SHORT
    while time.monotonic() < deadline:
        worker.vote(records[page.pop(0)])
        time.sleep(60 * SHORT * 2 / 5)
    assert page
    assert not set(page) & set(queue(other, dataset, limit=50)), "each answer renews the rest"

    plan(api, dataset, exact_overlap=True)
    passed, *rest = queue(skipper, dataset)
    skipper.vote(records[rest[-1]])
    assert passed not in queue(skipper, dataset, offset=len(rest))
    seen: set[str] = set()
    while again := queue(other, dataset):
        seen.update(again)
        for name in again:
            other.vote(records[name])
    assert passed in seen, "what was passed over is free again"


def test_owners_see_everything_and_take_nothing(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    api.add_numbered(dataset, 3)
    records = [{"external_id": f"r{n}", "assigned_to": ["nobody-yet"]} for n in range(2)]
    answer = plan(api, dataset, exact_overlap=True, records=[*records, {"external_id": "gone"}])
    assert answer == {"records": 2, "unknown_records": ["gone"], "unknown_users": ["nobody-yet"]}
    assert len(queue(api, dataset)) == len(api.names(dataset, **QUEUE)) == 3
    user = annotator()
    assert queue(user, dataset) == ["r2"]
    assert user.http.get(f"/prefloop/datasets/{dataset}/plan").status_code == 403
    assert user.http.put(f"/prefloop/datasets/{dataset}/plan", json={}).status_code == 403


def test_priority_assignment_and_filters(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    sources = [{"source": "web" if n % 2 else "book"} for n in range(30)]
    api.add(
        dataset,
        [{"external_id": f"r{n}", "fields": {"prompt": f"n {n}"}, "metadata": sources[n]} for n in range(30)],
    )
    ann, bob = annotator(), annotator()
    order = [f"r{(7 * n) % 20}" for n in range(20)]
    records = [{"external_id": name, "priority": number} for number, name in enumerate(order)]
    records[0]["assigned_to"] = [bob.username]
    plan(api, dataset, records=records)
    assert queue(ann, dataset, limit=19) == order[1:]
    assert queue(bob, dataset, limit=20) == order
    rest = queue(ann, dataset, offset=19, limit=20)
    assert sorted(rest) == sorted(f"r{n}" for n in range(20, 30)), "what has no priority comes last"
    web = {"type": "terms", "scope": {"entity": "metadata", "metadata_property": "source"}, "values": ["web"]}
    body = {"filters": {"and": [*QUEUE["filters"]["and"], web]}}
    assert ann.names(dataset, me=True, limit=9, **body) == [name for name in order[1:] if int(name[1:]) % 2][:9]
    by_name = [{"scope": {"entity": "record", "property": "external_id"}, "order": "desc"}]
    assert bob.names(dataset, me=True, limit=2, sort=by_name, **QUEUE) == ["r9", "r8"]
    assert order[0] not in ann.names(dataset, me=True, limit=30, sort=by_name, **QUEUE)


def test_gold_comes_now_and_then_to_everybody(api: Api, workspace: str, annotator: Annotator) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    records = {row["external_id"]: row["id"] for row in api.add_numbered(dataset, 40)}
    gold = {"r3", "r17", "r31", "r36"}
    plan(api, dataset, exact_overlap=True, gold_every=5, records=[{"external_id": n, "gold": True} for n in gold])
    orders = []
    for user in (annotator(), annotator()):
        got: list[str] = []
        for _ in range(15):
            page = user.search(dataset, me=True, limit=10, **QUEUE)["items"]
            assert {item["record"]["status"] for item in page} == {"pending"}, "others' answers don't show on gold"
            got.append(page[0]["record"]["external_id"])
            user.vote(records[got[-1]])
        orders.append(got)
        assert [len(gold & set(got[start : start + 5])) for start in (0, 5, 10)] == [1, 1, 1]
    assert orders[0] != orders[1]
    assert not (set(orders[0]) - gold) & (set(orders[1]) - gold), "only gold is answered twice"
    assert api.call("GET", f"/prefloop/datasets/{dataset}/plan")["over"] == []


async def work(url: str, key: str, dataset: str, voted: list[str]) -> None:
    """Vote until the queue is dry, and stay dry a while: somebody's lease may come free."""
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"X-Argilla-Api-Key": key}, timeout=60) as client:
        dry = 0
        while dry < 3:
            answer = await client.post(f"/me/datasets/{dataset}/records/search?limit=10", json=QUEUE)
            assert answer.status_code == 200
            items = answer.json()["items"]
            dry = 0 if items else dry + 1
            for item in items[:5]:
                body = {"values": {"choice": {"value": "A"}}, "status": "submitted"}
                response = await client.post(f"/records/{item['record']['id']}/responses", json=body)
                assert response.status_code == 201
                voted.append(item["record"]["external_id"])
            await asyncio.sleep(0.1 if items else 0.3)


def test_overlap_is_exact_when_many_work_at_once(server: Server, api: Api, workspace: str) -> None:
    dataset = api.dataset(workspace, min_submitted=2)
    names = {row["external_id"] for row in api.add_numbered(dataset, 30)}
    plan(api, dataset, exact_overlap=True)
    keys = [api.annotator(workspace)["api_key"] for _ in range(10)]
    voted: list[str] = []

    async def all_at_once() -> None:
        await asyncio.gather(*(work(server.url, key, dataset, voted) for key in keys))

    asyncio.run(all_at_once())
    assert Counter(voted) == dict.fromkeys(names, 2)
    assert api.progress(dataset)["completed"] == len(names)


def test_a_push_sends_the_plan(server: Server, api: Api, annotator: Annotator, tmp_path: Path) -> None:
    origin = Origin("person", "author")
    items = [Item((Message("user", f"Question {n}?"),), f"yes {n}", f"no {n}", origin, origin) for n in range(4)]
    (tmp_path / "guidelines.md").write_text("Choose the kinder answer.")
    name = f"q{random.getrandbits(48):x}"
    settings = CollectSettings(
        items=tmp_path / "items.jsonl", guidelines=tmp_path / "guidelines.md", queue=name, workspace=name
    )
    asked = QueueingSettings(exact_overlap=True, priority="items", assign={"zoe": items[0].id})
    with Argilla(server.url, server.api_key) as argilla:
        assert "plan" in features(argilla)
        queue_there = open_queue(argilla, settings)
        push(argilla, queue_there, items, b"key")
        assert send_plan(argilla, queue_there.id, QueueingSettings(), items, min_votes=3) == Planned()
        assert send_plan(argilla, queue_there.id, asked, items, min_votes=3) == Planned(None, 4, ("zoe",))
        assert items_over(argilla, queue_there.id) == ()
        user = annotator()
        me = user.call("GET", "/me")
        api.call("POST", f"/workspaces/{queue_there.workspace_id}/users", {"user_id": me["id"]})
        assert queue(user, queue_there.id) == [items[1].id], "the first that is everybody's"
        # What is no longer asked is no longer followed.
        send_plan(argilla, queue_there.id, QueueingSettings(), items, min_votes=3)
        assert len(queue(user, queue_there.id)) == 4

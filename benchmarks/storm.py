"""Thirty annotators vote over HTTP while the server is killed with SIGKILL and started again: is any vote lost?

    python benchmarks/storm.py [seconds] [kills] [annotators] [think seconds] [records]

Prints a JSON object and fails unless every acknowledged vote is there once, no record has more votes than its overlap,
and each record is completed if and only if it has enough.
"""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prefloop.collect.embedded import Server, running_server, start_server, stop_server

OVERLAP = 3
PAGE = 10
BULK = 500
QUEUE = {
    "filters": {
        "and": [
            {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]},
            {"type": "terms", "scope": {"entity": "record", "property": "status"}, "values": ["pending"]},
        ]
    }
}
"""What the web UI asks for the annotation page."""

Vote = tuple[str, str]
"""Record id and user id."""


@dataclass
class Storm:
    """What the annotators saw."""

    acknowledged: Counter[Vote] = field(default_factory=Counter)
    """Votes that the server said it has, and how often it said so."""
    uncertain: set[Vote] = field(default_factory=set)
    """Votes whose answer a kill cut off: they may be there or not."""
    pages: list[float] = field(default_factory=list)
    """Seconds of each queue page that came."""
    cut_off: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    unexpected: list[str] = field(default_factory=list)


def storm(
    folder: Path, *, seconds: float, votes: int, kills: int, annotators: int, think: float, records: int
) -> dict[str, Any]:
    """Run the storm on a new server in `folder` and return what came of it; `wrong` is empty if all is well.

    It ends when the server was up for `seconds`, or sooner, when it has acknowledged `votes`.
    """
    server = start_server(folder)
    try:
        with connect(server) as owner:
            dataset, users = set_up(owner, annotators, records)
            call(owner, "PUT", f"/prefloop/datasets/{dataset}/plan", {"exact_overlap": True})
            seen = asyncio.run(_run(server, dataset, users, seconds, votes, kills, think))
            wrong, stored = _settle(owner, dataset, seen)
    finally:
        stop_server(folder)
    return {
        "seconds_up": seconds,
        "kills": kills,
        "annotators": annotators,
        "think_seconds": think,
        "records": records,
        "votes": stored,
        "acknowledged": len(seen.acknowledged),
        "votes_cut_off_but_there": stored - len(seen.acknowledged),
        "requests_cut_off": seen.cut_off,
        "page_ms": {name: round(1000 * quantile(seen.pages, share)) for name, share in (("p50", 0.5), ("p95", 0.95))},
        "load": os.getloadavg()[0],
        "wrong": wrong,
    }


def set_up(owner: httpx.Client, annotators: int, records: int) -> tuple[str, dict[str, str]]:
    """Make a dataset and the annotators' accounts (id to API key)."""
    workspace = call(owner, "POST", "/workspaces", {"name": "storm"})["id"]
    distribution = {"strategy": "overlap", "min_submitted": OVERLAP}
    dataset = call(
        owner, "POST", "/datasets", {"name": "storm", "workspace_id": workspace, "distribution": distribution}
    )["id"]
    prompt = {"name": "prompt", "title": "prompt", "required": True, "settings": {"type": "text"}}
    call(owner, "POST", f"/datasets/{dataset}/fields", prompt)
    options = [{"value": value, "text": value} for value in ("A", "B")]
    choice = {"name": "choice", "title": "choice", "required": True}
    choice |= {"settings": {"type": "label_selection", "options": options}}
    call(owner, "POST", f"/datasets/{dataset}/questions", choice)
    call(owner, "PUT", f"/datasets/{dataset}/publish")
    rows = [{"external_id": f"r{n}", "fields": {"prompt": f"question {n} " + "word " * 100}} for n in range(records)]
    for start in range(0, records, BULK):
        call(owner, "POST", f"/prefloop/datasets/{dataset}/records", {"items": rows[start : start + BULK]})
    users = {}
    for number in range(annotators):
        name = f"annotator-{number}"
        account = {"first_name": name, "username": name, "password": "12345678", "role": "annotator"}
        user = call(owner, "POST", "/users", account)
        call(owner, "POST", f"/workspaces/{workspace}/users", {"user_id": user["id"]})
        users[user["id"]] = user["api_key"]
    return str(dataset), users


async def _run(
    server: Server, dataset: str, users: dict[str, str], seconds: float, votes: int, kills: int, think: float
) -> Storm:
    seen = Storm()
    people = [_annotate(server.url, dataset, user, key, think, seen) for user, key in users.items()]
    await asyncio.gather(_kill(server, seconds, votes, kills, seen), *people)
    return seen


async def _kill(server: Server, seconds: float, votes: int, kills: int, seen: Storm) -> None:
    """Kill the server at random moments and start it again, until it was up for so long or has so many votes."""
    drawn, up = random.Random(0), 0.0
    for moment in [*sorted(drawn.uniform(0.1, 0.9) for _ in range(kills)), None]:
        while max(up / seconds, len(seen.acknowledged) / votes) < (1 if moment is None else moment):
            await asyncio.sleep(0.1)
            up += 0.1
        if moment is None:
            break
        running = running_server(server.folder)
        assert running is not None, "the server ended by itself"
        os.kill(running.pid, signal.SIGKILL)
        while running_server(server.folder) is not None:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(start_server, server.folder)
    seen.over.set()


async def _annotate(url: str, dataset: str, user: str, key: str, think: float, seen: Storm) -> None:
    """Work like the web UI until the time is over: a page of the queue, an answer to each record, now and then two."""
    drawn = random.Random(user)
    headers = {"X-Argilla-Api-Key": key}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
        while not seen.over.is_set():
            for record in await _page(client, dataset, seen):
                await asyncio.sleep(drawn.uniform(0, 2 * think))
                if seen.over.is_set():
                    return
                await _vote(client, record, user, drawn.choice("AB"), seen)


async def _page(client: httpx.AsyncClient, dataset: str, seen: Storm) -> list[str]:
    started = time.perf_counter()
    path = f"/me/datasets/{dataset}/records/search?include=responses&include=suggestions&offset=0&limit={PAGE}"
    try:
        answer = await client.post(path, json=QUEUE)
    except httpx.TransportError:
        seen.cut_off += 1
        await asyncio.sleep(0.5)
        return []
    seen.pages.append(time.perf_counter() - started)
    if answer.status_code != 200:
        seen.unexpected.append(f"{answer.status_code} {answer.text[:200]}")
        return []
    records = [item["record"]["id"] for item in answer.json()["items"]]
    if not records:
        await asyncio.sleep(0.5)
    return records


async def _vote(client: httpx.AsyncClient, record: str, user: str, choice: str, seen: Storm) -> None:
    body = {"values": {"choice": {"value": choice}}, "status": "submitted"}
    try:
        answer = await client.post(f"/records/{record}/responses", json=body)
    except httpx.TransportError:
        seen.cut_off += 1
        seen.uncertain.add((record, user))
        await asyncio.sleep(0.5)
        return
    if answer.status_code == 201:
        seen.acknowledged[record, user] += 1
    elif not (answer.status_code == 409 and (record, user) in seen.uncertain):
        seen.unexpected.append(f"{answer.status_code} {answer.text[:200]}")


def _settle(owner: httpx.Client, dataset: str, seen: Storm) -> tuple[dict[str, Any], int]:
    """Hold what is stored against what was acknowledged; return what is wrong, and how many votes there are."""
    records = list(_records(owner, dataset))
    stored = Counter((record["id"], answer["user_id"]) for record in records for answer in record["responses"])
    counts = {record["id"]: len(record["responses"]) for record in records}
    found = {
        "lost": [vote for vote in seen.acknowledged if vote not in stored],
        "doubled": [vote for vote, times in (stored | seen.acknowledged).items() if times > 1],
        "of_nobody": [vote for vote in stored if vote not in seen.acknowledged and vote not in seen.uncertain],
        "over": [record for record, count in counts.items() if count > OVERLAP],
        "status": [row["id"] for row in records if (row["status"] == "completed") != (counts[row["id"]] >= OVERLAP)],
        "unexpected": seen.unexpected[:10],
    }
    return {name: rows for name, rows in found.items() if rows}, stored.total()


def _records(owner: httpx.Client, dataset: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while page := call(owner, "GET", f"/datasets/{dataset}/records?include=responses&limit=500&offset={offset}"):
        yield from page["items"]
        offset += 500
        if offset >= page["total"]:
            return


def connect(server: Server) -> httpx.Client:
    """Connect as the owner."""
    headers = {"X-Argilla-Api-Key": server.api_key}
    # A kept connection would be one that a kill has closed.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=120, limits=limits)


def call(owner: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    """Send one request and return the answer, if there is any."""
    answer = owner.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


def main(
    seconds: str = "300", kills: str = "5", annotators: str = "30", think: str = "1", records: str = "6000"
) -> int:
    """Return 0 if nothing is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        result = storm(
            Path(folder),
            seconds=float(seconds),
            votes=OVERLAP * int(records),
            kills=int(kills),
            annotators=int(annotators),
            think=float(think),
            records=int(records),
        )
    print(json.dumps(result))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

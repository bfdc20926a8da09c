"""How long an annotator waits for a page of the queue: 20,000 records, 30 annotators, the web UI's own request.

    python benchmarks/queue_page.py [records] [annotators] [seconds]

Prints a JSON object a line: with people who read for some seconds between two pages, and with all asking as fast as
they can; without a plan, and with one (exact overlap, priority, gold). Needs a quiet machine.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from prefloop.collect.embedded import start_server, stop_server
from storm import QUEUE, call, connect, quantile, set_up

READING = 8.0
"""Seconds that a person spends on a page before the next one is fetched; drawn between half and one and a half."""


def main(records: str = "20000", annotators: str = "30", seconds: str = "60") -> None:
    """Print the quantiles of each case."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            with connect(server) as owner:
                dataset, users = set_up(owner, int(annotators), int(records))
                for name in ("no plan", "plan"):
                    if name == "plan":
                        call(owner, "PUT", f"/prefloop/datasets/{dataset}/plan", _plan(int(records)))
                    for reading in (READING, 0.0):
                        row = asyncio.run(_measure(server.url, dataset, users, reading, float(seconds)))
                        print(json.dumps({"queue": name, "reading_seconds": reading} | row), flush=True)
        finally:
            stop_server(Path(folder))


def _plan(records: int) -> dict[str, Any]:
    rows = [{"external_id": f"r{n}", "priority": n, "gold": n % 100 == 0} for n in range(records)]
    return {"exact_overlap": True, "gold_every": 20, "records": rows}


async def _measure(url: str, dataset: str, users: dict[str, str], reading: float, seconds: float) -> dict[str, Any]:
    pages: list[float] = []
    votes: list[float] = []
    deadline = time.monotonic() + seconds
    await asyncio.gather(*(_annotate(url, dataset, key, reading, deadline, pages, votes) for key in users.values()))
    return {
        "pages": len(pages),
        "pages_per_second": round(len(pages) / seconds, 1),
        **{f"page_p{share}_ms": round(1000 * quantile(pages, share / 100)) for share in (50, 95, 100)},
        **{f"vote_p{share}_ms": round(1000 * quantile(votes, share / 100)) for share in (50, 95)},
        "load": round(os.getloadavg()[0], 1),
    }


async def _annotate(
    url: str, dataset: str, key: str, reading: float, deadline: float, pages: list[float], votes: list[float]
) -> None:
    """Fetch a page, read, answer its first record, and so on; everybody starts at another moment."""
    headers = {"X-Argilla-Api-Key": key}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
        await asyncio.sleep(random.uniform(0, reading))
        while time.monotonic() < deadline:
            path = f"/me/datasets/{dataset}/records/search?include=responses&include=suggestions&offset=0&limit=10"
            started = time.perf_counter()
            answer = (await client.post(path, json=QUEUE)).raise_for_status()
            pages.append(time.perf_counter() - started)
            await asyncio.sleep(random.uniform(0.5, 1.5) * reading)
            record = answer.json()["items"][0]["record"]["id"]
            body = {"values": {"choice": {"value": "A"}}, "status": "submitted"}
            started = time.perf_counter()
            (await client.post(f"/records/{record}/responses", json=body)).raise_for_status()
            votes.append(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])

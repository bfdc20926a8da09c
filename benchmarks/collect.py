"""Items in, votes out, annotators at work: prefloop on its embedded Argilla against Argilla's SDK on stock code.

python benchmarks/collect.py [--records 20000] [--annotators 30] [--seconds 30] [--json FILE] [--sdk-python PYTHON]

Both servers run on this machine, on SQLite, with copies of the same data; what is compared is measured in turns. The
stock server (collect_stock.py) has prefloop's search engine and jobs in place of Elasticsearch and Redis, everything
else is stock. The SDK gets a virtual environment of its own under PREFLOOP_HOME, once (needs a package index), unless
--sdk-python names a Python that has `argilla==2.8.0` and `requests`. Needs a quiet machine: eight minutes on
two cores.
"""

import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from prefloop.collect import Argilla, CollectSettings, Item, Message, Origin, ensure_annotators, open_queue, pull, push
from prefloop.collect.embedded import Server, start_server, stop_server
from prefloop.collect.embedded.environment import ensure_environment
from prefloop.collect.queues.display import record
from prefloop.collect.queues.records import record_ids
from prefloop.collect.sides import shown_order
from prefloop.home import home

HERE = Path(__file__).parent
KEY = b"a side key for benchmarks"
ORIGIN = Origin("person", "author")
WORDS = "quick brown fox jumps over lazy dog while seven small ships sail past old stone harbour with bread and rain"
SDK_ROWS, OUR_ROWS, VOTES, ROUNDS = 400, 4000, 200, 3
THINK = (2.0, 8.0)
"""Seconds an annotator thinks before a click, drawn evenly."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    what: str
    baseline: float | None
    ours: float
    unit: str
    higher_is_better: bool = True

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if not self.baseline:
            return None
        return self.ours / self.baseline if self.higher_is_better else self.baseline / self.ours


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--annotators", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the four runs with annotators")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sdk-python", type=Path)
    options = parser.parse_args()
    sdk = options.sdk_python or sdk_environment()
    load, lines = os.getloadavg()[0], list[Line]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server = start_server(folder / "ours", say=say)
        try:
            with Argilla(server.url, server.api_key) as owner:
                say(f"filling a queue with {options.records} records and 3 votes each")
                name = fill(owner, server, folder, options.records)
                with stock_server(folder, server) as url:
                    lines += ingest(server, url, folder, sdk)
                    lines += pulling(server, url, folder, sdk, name, options.records)
                    lines += voting(server, url, folder, name)
                    lines += annotating(server, url, folder, name, options.annotators, options.seconds)
        finally:
            stop_server(folder / "ours")
    show(lines, machine() | {"load before": round(load, 2)}, options.json)


def say(text: str) -> None:
    """Tell what is going on, beside the results."""
    print(text, file=sys.stderr, flush=True)


def sdk_environment() -> Path:
    """Return the Python of an environment with the SDK, made on first use."""
    python = home() / "benchmarks" / "sdk" / "bin" / "python"
    if not python.exists():
        say(f"creating an environment for Argilla's SDK in {python.parent.parent}")
        subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "argilla==2.8.0", "requests"], check=True)
    return python


def make_items(count: int) -> list[Item]:
    """Return new items of the length of a short chat: 40 words asked, twice 100 answered."""
    drawn, words = random.Random(count), WORDS.split()

    def text(length: int) -> str:
        return " ".join(drawn.choices(words, k=length))

    mark = uuid4().hex
    return [
        Item((Message("user", f"{text(40)} {mark} {n}"),), text(100), text(100) + " b", ORIGIN, ORIGIN)
        for n in range(count)
    ]


def queue_settings(folder: Path, name: str) -> CollectSettings:
    """Return the settings of the benchmark's form."""
    guidelines = folder / "guidelines.md"
    guidelines.write_text("Choose the better answer.", encoding="utf-8")
    return CollectSettings(items=folder / "items.jsonl", guidelines=guidelines, queue=name, min_votes=4)


def fill(owner: Argilla, server: Server, folder: Path, count: int) -> str:
    """Make the queue that both servers will have; its votes are written into the database, as nobody has hours."""
    queue = open_queue(owner, queue_settings(folder, "full"))
    push(owner, queue, make_items(count), KEY)
    ensure_annotators(owner, queue, [f"voter-{n}" for n in range(3)])
    users = [row["id"].replace("-", "") for row in owner.items("/users") if row["username"].startswith("voter-")]
    records = [record_id.replace("-", "") for record_id in record_ids(owner, queue.id).values()]
    drawn, rows = random.Random(0), []
    for number, (record_id, user) in enumerate((record_id, user) for record_id in records for user in users):
        when = (
            f"2026-01-{1 + number // 86_400:02} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000001"
        )
        values = json.dumps({"preference": {"value": drawn.choice(["first", "second", "tie", "both_bad"])}})
        rows.append((uuid4().hex, values, "submitted", record_id, user, when, when))
    with closing(sqlite3.connect(server.folder / "argilla.db", timeout=60)) as database, database:
        database.executemany(
            'INSERT INTO responses (id, "values", status, record_id, user_id, inserted_at, updated_at) '
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    return queue.name


@contextmanager
def stock_server(folder: Path, server: Server) -> Iterator[str]:
    """Serve a copy of the data with stock code."""
    (folder / "stock").mkdir()
    shutil.copy(server.folder / "credentials.json", folder / "stock")
    with (
        closing(sqlite3.connect(server.folder / "argilla.db", timeout=60)) as source,
        closing(sqlite3.connect(folder / "stock" / "argilla.db")) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = WAL")
    port = int(httpx.URL(server.url).port or 0) + 1
    plugin = Path(sys.modules[start_server.__module__].__file__ or "").parent / "plugin"
    command = [str(ensure_environment(say)), "-I", str(HERE / "collect_stock.py"), str(plugin / "launch.py"), str(port)]
    with (folder / "stock.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder / "stock", stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url):
            if process.poll() is not None:
                raise SystemExit((folder / "stock.log").read_text(encoding="utf-8"))
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Tell whether a server is up."""
    try:
        return httpx.get(f"{url}/api/v1/version", timeout=5).is_success
    except httpx.TransportError:
        return False


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def with_sdk(python: Path, *arguments: str) -> dict[str, Any]:
    """Run collect_sdk.py and return what it says."""
    command = [str(python), str(HERE / "collect_sdk.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.rstrip().splitlines()[-1]))


def ingest(server: Server, stock: str, folder: Path, sdk: Path) -> list[Line]:
    """Compare `records.log` on the stock server with `push` on ours, in turns."""
    say("ingest")
    theirs, ours = list[float](), list[float]()
    with Argilla(server.url, server.api_key) as owner, Argilla(stock, server.api_key) as plain:
        here = open_queue(owner, queue_settings(folder, "ingest"))
        there = open_queue(plain, queue_settings(folder, "ingest"))
        for _ in range(ROUNDS):
            file = folder / "rows.jsonl"
            rows = [record(item, shown_order(KEY, item.id, 2), there.form) for item in make_items(SDK_ROWS)]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            took = with_sdk(sdk, "log", stock, server.api_key, there.workspace, there.name, str(file))
            theirs.append(took["records"] / took["seconds"])
            items = make_items(OUR_ROWS)
            ours.append(OUR_ROWS / seconds(lambda items=items: push(owner, here, items, KEY)))  # type: ignore[misc]
    return [
        Line("ingest: SDK records.log / prefloop push", statistics.median(theirs), statistics.median(ours), "records/s")
    ]


def pulling(server: Server, stock: str, folder: Path, sdk: Path, name: str, count: int) -> list[Line]:
    """Compare iterating with a whole pull, in turns, and with one of ten new votes."""
    say("pull")
    mirror, theirs, ours, changed = folder / "mirror.jsonl", list[float](), list[float](), list[float]()
    with Argilla(server.url, server.api_key) as owner:
        queue = open_queue(owner, queue_settings(folder, name))
        ids = record_ids(owner, queue.id)
        for turn in range(2):
            took = with_sdk(sdk, "read", stock, server.api_key, queue.workspace, queue.name)
            assert (took["records"], took["responses"]) == (count, 3 * count), took
            theirs.append(took["seconds"])
            ours.append(seconds(lambda: pull(owner, queue, KEY, list(ids), mirror=mirror, full=True)))
            vote(server.url, server.api_key, queue, f"late-{turn}", list(ids.values())[:10])
            pulled = None
            start = time.perf_counter()
            pulled = pull(owner, queue, KEY, list(ids), mirror=mirror)
            changed.append(time.perf_counter() - start)
            assert (pulled.incremental, pulled.responses_read) == (True, 11), pulled.responses_read
    whole = f"pull of {count} records with 3 votes each: SDK iteration / prefloop"
    return [
        Line(whole, statistics.median(theirs), statistics.median(ours), "s", higher_is_better=False),
        Line(
            "the same, 10 votes new (11 rows read)", statistics.median(theirs), statistics.median(changed), "s", False
        ),
    ]


def vote(url: str, key: str, queue: Any, who: str, records: Sequence[str]) -> float:
    """Answer records as one annotator through Argilla's bulk route; return the seconds."""
    with Argilla(url, key) as owner:
        [account] = ensure_annotators(owner, queue, [who])
    rows = [{"record_id": one, "status": "submitted", "values": {"preference": {"value": "first"}}} for one in records]
    with Argilla(url, account.api_key) as annotator:
        return seconds(
            lambda: [
                annotator.call("POST", "/me/responses/bulk", body={"items": rows[n : n + 25]})
                for n in range(0, len(rows), 25)
            ]
        )


def voting(server: Server, stock: str, folder: Path, name: str) -> list[Line]:
    """Compare how fast recorded votes are taken, in turns."""
    say("votes")
    theirs, ours = list[float](), list[float]()
    with Argilla(server.url, server.api_key) as owner:
        queue = open_queue(owner, queue_settings(folder, name))
        records = list(record_ids(owner, queue.id).values())[:VOTES]
    for turn in range(ROUNDS):
        theirs.append(VOTES / vote(stock, server.api_key, queue, f"replayed-{turn}", records))
        ours.append(VOTES / vote(server.url, server.api_key, queue, f"replayed-{turn}", records))
    return [Line("recorded votes: stock / embedded", statistics.median(theirs), statistics.median(ours), "votes/s")]


def annotating(server: Server, stock: str, folder: Path, name: str, people: int, duration: float) -> list[Line]:
    """Compare what annotators wait for their page, thinking before each click and not."""
    lines = []
    for label, think in (("thinking 2 to 8 s a click", THINK), ("saturated", (0.0, 0.0))):
        found = {}
        for where, url in (("stock", stock), ("ours", server.url)):
            say(f"{people} annotators, {label}, {where}")
            found[where] = crowd(url, server.api_key, folder, name, people, duration, think)
        title = f"{people} annotators, {label}: "
        for what, unit, higher in (
            ("page p50", "ms", False),
            ("page p95", "ms", False),
            ("votes", "votes/s", True),
            ("failed requests", "", False),
        ):
            lines.append(Line(title + what, found["stock"].get(what), found["ours"][what], unit, higher))
    return lines


def crowd(
    url: str, key: str, folder: Path, name: str, people: int, duration: float, think: tuple[float, float]
) -> dict[str, float]:
    """Let annotators open their page and answer its first record, over and over."""
    with Argilla(url, key) as owner:
        queue = open_queue(owner, queue_settings(folder, name))
        accounts = ensure_annotators(owner, queue, [f"crowd-{n}" for n in range(people)])
    pages, votes, failed = list[float](), list[float](), list[str]()
    until = time.monotonic() + duration
    threads = [
        threading.Thread(target=annotator, args=(url, one.api_key, queue.id, until, think, pages, votes, failed))
        for one in accounts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(pages, n=20) if len(pages) > 1 else [float("inf")] * 19
    return {
        "page p50": 1000 * cuts[9],
        "page p95": 1000 * cuts[18],
        "votes": len(votes) / duration,
        "failed requests": float(len(failed)),
    }


def annotator(
    url: str,
    key: str,
    dataset: str,
    until: float,
    think: tuple[float, float],
    pages: list[float],
    votes: list[float],
    failed: list[str],
) -> None:
    """Do what the web page does: ask for ten records that wait for this person, answer the first."""
    waiting = {
        "filters": {
            "type": "and",
            "and": [
                {"type": "terms", "scope": {"entity": entity, "property": "status"}, "values": ["pending"]}
                for entity in ("response", "record")
            ],
        }
    }
    path = f"/me/datasets/{dataset}/records/search"
    query = {"include": ["responses", "suggestions"], "limit": 10, "offset": 0}
    answer = {"status": "submitted", "values": {"preference": {"value": "tie"}}}
    drawn = random.Random(key)
    time.sleep(drawn.uniform(0, think[1]))
    with httpx.Client(base_url=f"{url}/api/v1", headers={"X-Argilla-Api-Key": key}, timeout=60) as http:
        while time.monotonic() < until:
            try:
                start = time.perf_counter()
                page = http.post(path, params=query, json=waiting).raise_for_status().json()["items"]
                pages.append(time.perf_counter() - start)
                time.sleep(drawn.uniform(*think))
                start = time.perf_counter()
                http.post(f"/records/{page[0]['record']['id']}/responses", json=answer).raise_for_status()
                votes.append(time.perf_counter() - start)
            except httpx.HTTPError as error:
                failed.append(type(error).__name__)


def machine() -> dict[str, object]:
    """Return what the numbers depend on."""
    model = (
        next(
            (
                line.split(":", 1)[1].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if "model name" in line
            ),
            platform.processor(),
        )
        if Path("/proc/cpuinfo").exists()
        else platform.processor()
    )
    return {
        "machine": f"{os.cpu_count()} cores, {model}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "argilla-server and SDK": "2.8.0",
    }


def show(lines: Sequence[Line], about: dict[str, object], file: Path | None) -> None:
    """Print the table, and write JSON."""
    print("; ".join(f"{name} {value}" for name, value in about.items()))
    print(f"{'':72} {'baseline':>10} {'prefloop':>10}         times better")
    for line in lines:
        baseline = "" if line.baseline is None else f"{line.baseline:.3g}"
        ratio = "" if line.ratio is None else f"{line.ratio:.1f}"
        print(f"{line.what:72} {baseline:>10} {line.ours:>10.3g} {line.unit:9} {ratio:>6}")
    rows = [
        {"what": line.what, "unit": line.unit, "baseline": line.baseline, "prefloop": line.ours, "ratio": line.ratio}
        for line in lines
    ]
    if file:
        file.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

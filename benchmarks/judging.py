"""Judge throughput: one question after the other, as FastChat asks by default, against many in flight.

python benchmarks/evaluate.py judging [--questions 200] [--rounds 3] [--in-flight 64] [--latency 0.1]

The server is a process of its own on this machine that answers every request after the latency, however many there
are. FastChat's way is its loop with the current client: one request, wait for the reply, append a line. Both ways are
measured in turns, on the same questions, imports and the first connection not counted.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prefloop.asking import EndpointSettings, Question, ask
from prefloop.collect import Message
from prefloop.evaluate.judges import Duel, pair_questions

REPLY = "Both answers are on the subject. Assistant A is more complete.\n[[A]]"


@dataclass(frozen=True, slots=True)
class Throughput:
    """Questions a second, round by round."""

    questions: int
    latency: float
    in_flight: int
    sequential: list[float]
    ours: list[float]

    @property
    def ratio(self) -> float:
        """How much more ours does, by the medians."""
        return statistics.median(self.ours) / statistics.median(self.sequential)


def measure(questions: int, rounds: int, in_flight: int, latency: float) -> Throughput:
    """Ask the same questions both ways in turns."""
    with serving(latency) as url, tempfile.TemporaryDirectory() as folder:
        to = EndpointSettings(base_url=url, model="judge", in_flight=in_flight)
        games = list(pair_questions(duels(questions // 2), to).values())
        one_by_one(games[:2], to, Path(folder) / "warm.jsonl")
        ask(games[:2], to, Path(folder) / "warm-ours.jsonl")
        sequential, ours = [], []
        for number in range(rounds):
            start = time.perf_counter()
            one_by_one(games, to, Path(folder) / f"{number}.jsonl")
            sequential.append(len(games) / (time.perf_counter() - start))
            start = time.perf_counter()
            ask(games, to, Path(folder) / f"{number}-ours.jsonl")
            ours.append(len(games) / (time.perf_counter() - start))
    return Throughput(len(games), latency, in_flight, sequential, ours)


def duels(count: int) -> list[Duel]:
    """Return pairs of answers as long as MT-Bench's."""
    words = "Some words of an answer that goes on for a while. " * 24
    return [
        Duel(str(number), (Message("user", f"Question {number}?"),), f"{words} {number}", f"{number} {words}")
        for number in range(count)
    ]


def one_by_one(questions: list[Question], to: EndpointSettings, store: Path) -> None:
    """Ask as FastChat's `gen_judgment.py` does without --parallel."""
    from openai import OpenAI

    with OpenAI(base_url=to.base_url, api_key="none") as client:
        for question in questions:
            reply = client.chat.completions.create(
                model=to.model,
                messages=[{"role": message.role, "content": message.content} for message in question.messages],  # type: ignore[misc]
                temperature=question.temperature,
                max_tokens=question.max_tokens,
            )
            with store.open("a") as file:
                file.write(json.dumps({"judgment": reply.choices[0].message.content}) + "\n")


@contextlib.contextmanager
def serving(latency: float) -> Iterator[str]:
    """Start the slow server and return its URL."""
    command = [sys.executable, __file__, str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


async def serve(latency: float) -> None:
    """Answer every chat after the latency."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": REPLY}}
    usage = {"prompt_tokens": 700, "completion_tokens": 20, "total_tokens": 720}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "judge", "choices": [choice], "usage": usage}
    sent = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(headers.split("content-length:")[1].split("\r\n")[0])
                await reader.readexactly(length)
                await asyncio.sleep(latency)
                writer.write(head + sent)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be chosen."""
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")


def run(arguments: argparse.Namespace) -> None:
    """Measure and print the table."""
    found = measure(arguments.questions, arguments.rounds, arguments.in_flight, arguments.latency)
    print(f"| {found.questions} questions, {found.latency * 1000:.0f} ms a reply | questions/s, median (each round) |")
    print("|---|---|")
    for name, rates in (("one after the other", found.sequential), (f"{found.in_flight} in flight", found.ours)):
        each = ", ".join(f"{rate:.1f}" for rate in rates)
        print(f"| {name} | {statistics.median(rates):.1f} ({each}) |")
    print(f"| ratio | {found.ratio:.1f} |")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(float(sys.argv[1])))

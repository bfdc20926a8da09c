"""Questions to a real HTTP server through the real client: faults, limits, budgets, kills, and nothing asked twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_server import Answer, answering, question, refused, said
from prefloop import asking
from prefloop.asking import EndpointSettings, Message, Question, ask, estimate_cost, make_question, read_replies
from prefloop.errors import UserError

Script = Callable[[int, str], Answer | None]
"""From the request's number and the question to the answer; None drops the connection."""


class Served:
    def __init__(self, script: Script, seconds: float) -> None:
        self.script, self.seconds, self.lock = script, seconds, threading.Lock()
        self.url = ""
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.times: list[float] = []

    def reply(self, body: dict[str, Any]) -> Answer | None:
        text = question(body)
        with self.lock:
            self.asked.append(text)
            self.times.append(time.monotonic())
            number = len(self.asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        answer = self.script(number, text)
        with self.lock:
            self.at_once -= 1
        return answer


@contextmanager
def serve(script: Script, seconds: float = 0.0) -> Iterator[Served]:
    """Number the requests, answer each after so long, and see how many are answered at once."""
    served = Served(script, seconds)
    with answering(served.reply) as endpoint:
        served.url = endpoint.url
        yield served


def settings(url: str, **changes: object) -> EndpointSettings:
    return EndpointSettings.model_validate({"base_url": url, "model": "judge", **changes})


def questions(to: EndpointSettings, count: int, max_tokens: int = 20) -> list[Question]:
    return [
        make_question(to, [Message("user", f"Question {n}")], max_tokens=max_tokens, note={"item": n})
        for n in range(count)
    ]


def echo(number: int, text: str) -> Answer:
    return said(f"{text}!")


def rows(store: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.read_text().splitlines()]


def test_replies_come_by_key_and_the_store_has_all_of_them(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with serve(echo, seconds=0.02) as served:
        to = settings(served.url, in_flight=3)
        asked = questions(to, 12)
        replies = ask([*asked, asked[0]], to, tmp_path / "s.jsonl", lambda done, total: seen.append((done, total)))
    assert [replies[question.key].text for question in asked] == [f"Question {n}!" for n in range(12)]
    assert len(served.asked) == 12, "an equal question is asked once"
    assert 1 < served.most_at_once <= 3
    assert seen == [(done, 12) for done in range(13)]
    stored = {row["key"]: row for row in rows(tmp_path / "s.jsonl")}
    row = stored[asked[4].key]
    assert row["note"] == {"item": 4}
    assert (row["model"], row["revision"], row["input_tokens"], row["price"]) == ("judge", "judge-v7", 10, None)
    assert read_replies(tmp_path / "s.jsonl") == replies


def test_under_a_running_event_loop(tmp_path: Path) -> None:
    async def caller(to: EndpointSettings) -> int:
        return len(ask(questions(to, 3), to, tmp_path / "s.jsonl"))

    with serve(echo) as served:
        assert asyncio.run(caller(settings(served.url))) == 3


def test_busy_failing_and_dropping_endpoints_are_asked_again(tmp_path: Path) -> None:
    bad: dict[int, Answer | None] = {1: refused(429, "slow", Retry_After="1"), 2: refused(500, "oops"), 3: None}

    def script(number: int, text: str) -> Answer | None:
        return bad[number] if number in bad else echo(number, text)

    with serve(script) as served:
        to = settings(served.url, in_flight=1)
        replies = ask(questions(to, 3), to, tmp_path / "s.jsonl")
    assert len(replies) == 3
    assert served.asked == ["Question 0"] * 4 + ["Question 1", "Question 2"]
    # Without the header it would have waited half a second at most.
    assert served.times[1] - served.times[0] >= 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_one_sentence_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret-1234")
    with serve(lambda number, text: refused(status, "Incorrect API key provided: sk-secret-1234")) as served:
        to = settings(served.url, api_key_env="SOME_KEY", in_flight=1)
        with pytest.raises(UserError, match=f"refused the key.*HTTP {status}.*SOME_KEY") as raised:
            ask(questions(to, 5), to, tmp_path / "s.jsonl")
    assert "sk-secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert len(served.asked) == 1, "a refused key is not sent again and again"


def test_a_refusal_that_quotes_the_key_is_shown_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret-1234")
    with serve(lambda number, text: refused(404, "no model for sk-secret-1234")) as served:
        to = settings(served.url, api_key_env="SOME_KEY")
        with pytest.raises(UserError, match=r"no model for \[key\]"):
            ask(questions(to, 2), to, tmp_path / "s.jsonl")


def test_a_missing_key_stops_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with serve(echo) as served:
        to = settings(served.url, api_key_env="SOME_KEY")
        with pytest.raises(UserError, match="set the environment variable SOME_KEY"):
            ask(questions(to, 2), to, tmp_path / "s.jsonl")
    assert served.asked == []


def no_json(number: int, text: str) -> Answer:
    return 200, {}, b"<html>Bad gateway"


def no_choices(number: int, text: str) -> Answer:
    return 200, {}, b'{"choices": []}'


def no_object(number: int, text: str) -> Answer:
    return 200, {}, b"[1, 2]"


def not_json_at_all(number: int, text: str) -> Answer:
    return 200, {"Content-Type": "text/html"}, b"<html>Sign in, please"


@pytest.mark.parametrize("garbage", [no_json, no_choices, no_object, not_json_at_all])
def test_garbage_ends_in_one_sentence_and_keeps_what_came(tmp_path: Path, garbage: Script) -> None:
    def script(number: int, text: str) -> Answer | None:
        return garbage(number, text) if number == 4 else echo(number, text)

    with serve(script) as served:
        to = settings(served.url, in_flight=1)
        with pytest.raises(UserError, match=r"no reply .*; 3 of 6 replies are kept, run again"):
            ask(questions(to, 6), to, tmp_path / "s.jsonl")
        assert len(rows(tmp_path / "s.jsonl")) == 3
        assert len(ask(questions(to, 6), to, tmp_path / "s.jsonl")) == 6
    assert len(served.asked) == 7


def test_what_is_under_way_when_something_fails_is_kept(tmp_path: Path) -> None:
    def script(number: int, text: str) -> Answer | None:
        if text == "Question 0":
            return refused(400, "bad luck")
        time.sleep(0.3)
        return echo(number, text)

    with serve(script) as served:
        to = settings(served.url, in_flight=4)
        with pytest.raises(UserError, match=r"HTTP 400.*bad luck; 3 of 20 replies are kept"):
            ask(questions(to, 20), to, tmp_path / "s.jsonl")
    assert len(served.asked) == 4
    assert {row["text"] for row in rows(tmp_path / "s.jsonl")} == {f"Question {n}!" for n in (1, 2, 3)}


def test_a_question_longer_than_the_context_gets_an_empty_reply(tmp_path: Path) -> None:
    def script(number: int, text: str) -> Answer | None:
        return refused(400, "This model's maximum context length is 8 tokens") if number == 1 else echo(number, text)

    with serve(script) as served:
        to = settings(served.url, in_flight=1)
        asked = questions(to, 2)
        replies = ask(asked, to, tmp_path / "s.jsonl")
    assert [(replies[each.key].text, replies[each.key].finish) for each in asked] == [
        ("", "no room"), ("Question 1!", "stop"),
    ]  # fmt: skip


def test_an_endpoint_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking.endpoint, "RETRIES", 1)
    to = settings("http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9.*can't be reached.*; 0 of 2 replies"):
        ask(questions(to, 2), to, tmp_path / "s.jsonl")


def test_a_reply_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking.endpoint, "RETRIES", 0)
    with serve(echo, seconds=1.0) as served:
        to = settings(served.url, timeout=0.2)
        with pytest.raises(UserError, match=r"can't be reached \(APITimeoutError\)"):
            ask(questions(to, 1), to, tmp_path / "s.jsonl")


PRICED = {"input_price": 1_000_000, "output_price": 1_000_000}
"""A token in or out costs 1."""


@pytest.mark.parametrize("in_flight", [1, 8])
@pytest.mark.parametrize("tokens", [5, None])
def test_the_budget_is_never_passed(tmp_path: Path, in_flight: int, tokens: int | None) -> None:
    store = tmp_path / "s.jsonl"
    with serve(lambda number, text: said(text, tokens=tokens), seconds=0.01) as served:
        to = settings(served.url, in_flight=in_flight, budget=400, **PRICED)
        with pytest.raises(UserError, match=r"budget of 400 is used up: .* raise budget to go on; \d+ of 40 replies"):
            ask(questions(to, 40), to, store)
        asked, spent = len(served.asked), sum(float(str(row["price"])) for row in rows(store))
        # At most: two frames of 32 tokens, the bytes of the question, and 20 tokens of reply.
        most = 64 + len("Question 10") + 20
        assert 400 - most < spent <= 400
        with pytest.raises(UserError, match="budget of 400"):
            ask(questions(to, 40), to, store)
        assert len(served.asked) == asked, "what the store has cost counts when it is asked again"
        more = settings(served.url, in_flight=in_flight, budget=40 * most, **PRICED)
        assert len(ask(questions(to, 40), more, store)) == 40
    assert len(served.asked) == 40


def test_the_estimate_knows_what_is_asked_already(tmp_path: Path) -> None:
    store = tmp_path / "s.jsonl"
    with serve(echo) as served:
        to = settings(served.url, **PRICED)
        asked = questions(to, 10)
        before = estimate_cost(asked, to, store)
        ask(asked[:4], to, store)
        after = estimate_cost([*asked, asked[0]], to, store)
        plain = estimate_cost(asked, settings(served.url), store)
    assert (before.known, before.owed, before.output_tokens, before.output_tokens_at_most) == (0, 10, 200, 200)
    # "Question 0" has ten bytes: three tokens at four bytes each, and eight for the frame.
    assert (before.input_tokens, before.input_tokens_at_most) == (110, 10 * (64 + 10))
    assert (before.price, before.price_at_most) == (110 + 200, 740 + 200)
    assert (after.known, after.owed, after.output_tokens, after.price) == (4, 6, 30, 66 + 30)
    assert (after.spent, plain.price, plain.owed) == (4 * 15, None, 6)


@pytest.mark.parametrize(
    ("limit", "per_minute"),
    # A question counts 11 tokens and a reply of 20.
    [("requests_per_minute", 600), ("tokens_per_minute", 600 * 31)],
)
def test_limits_a_minute_spread_the_requests(tmp_path: Path, limit: str, per_minute: int) -> None:
    with serve(echo) as served:
        to = settings(served.url, in_flight=16, **{limit: per_minute})
        ask(questions(to, 10), to, tmp_path / "s.jsonl")
    # Ten requests, a tenth of a second apart; what a busy machine adds can only make it more.
    assert served.times[-1] - served.times[0] > 0.85


def test_many_in_flight_are_faster_than_one_after_the_other(tmp_path: Path) -> None:
    def seconds(in_flight: int) -> float:
        to = settings(served.url, in_flight=in_flight)
        start = time.monotonic()
        ask(questions(to, 24), to, tmp_path / f"{in_flight}.jsonl")
        return time.monotonic() - start

    with serve(echo, seconds=0.25) as served:
        assert seconds(1) / seconds(12) > 2


def test_an_interruption_stops_at_once_and_keeps_what_came(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with serve(echo, seconds=0.02) as served:
        to = settings(served.url, in_flight=2)
        with pytest.raises(KeyboardInterrupt):
            ask(questions(to, 50), to, tmp_path / "s.jsonl", interrupt)
        assert len(rows(tmp_path / "s.jsonl")) == 3
        assert len(served.asked) < 20


KILLED = """
import sys
from pathlib import Path
from prefloop.asking import EndpointSettings, Message, ask, make_question

to = EndpointSettings(base_url=sys.argv[1], model="judge", in_flight=2)
chats = [[Message("user", f"Question {n}")] for n in range(30)]
asked = [make_question(to, chat, max_tokens=20, note={"item": n}) for n, chat in enumerate(chats)]
ask(asked, to, Path(sys.argv[2]))
"""


def test_a_kill_loses_only_what_was_under_way(tmp_path: Path) -> None:
    store = tmp_path / "s.jsonl"
    with serve(echo, seconds=0.05) as served:
        process = subprocess.Popen([sys.executable, "-P", "-c", KILLED, served.url, str(store)], cwd=tmp_path)
        deadline = time.monotonic() + 60
        while (not store.exists() or len(store.read_text().splitlines()) < 8) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(rows(store))
        assert 8 <= kept < 30
        time.sleep(0.2)  # what the server still held of the killed process
        before = len(served.asked)
        store.write_text(store.read_text() + '{"key": "torn')
        to = settings(served.url)
        assert len(ask(questions(to, 30), to, store)) == 30
        assert len(served.asked) - before == 30 - kept
    assert len(rows(store)) == 30

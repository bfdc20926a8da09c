"""Writers behind a real HTTP endpoint: what they are asked, what is kept, and that nothing is asked twice."""

import itertools

import pytest
from openai_server import answering, question, refused, said
from prefloop.collect import Message
from prefloop.collect.sampling.writers import SampleSettings, WriterSettings, write_candidates
from prefloop.errors import UserError

PROMPTS = {f"p{n}": (Message("system", "Be kind."), Message("user", f"Question {n}?")) for n in range(6)}


def sampled(url, **changes):
    writer = WriterSettings(model="writer", endpoint=url, count=2, temperature=0.7, max_new_tokens=9, **changes)
    return SampleSettings(prompts="p.jsonl", writers=(writer,), seed=5)


def by_seed(body):
    return f" {question(body)} seed {body['seed']} "


def test_every_prompt_is_asked_as_often_as_wanted_with_its_own_seed(tmp_path, monkeypatch):
    monkeypatch.setenv("WRITER_KEY", "secret-writer-key")
    done = []
    with answering(by_seed) as endpoint:
        settings = sampled(endpoint.url, api_key_env="WRITER_KEY")
        path = tmp_path / "c.jsonl"
        rows = write_candidates(PROMPTS, settings, base="unused", path=path, progress=lambda *seen: done.append(seen))
    assert [(row.prompt_id, row.text) for row in rows[:3]] == [
        ("p0", "Question 0? seed 5"), ("p0", "Question 0? seed 6"), ("p1", "Question 1? seed 5"),
    ]  # fmt: skip
    body = endpoint.asked[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("writer", 0.7, 9)
    assert body["messages"][0] == {"role": "system", "content": "Be kind."}
    assert endpoint.keys[0] == "Bearer secret-writer-key"
    assert "secret-writer-key" not in path.read_text()
    assert rows[1].origin.sampling | {"number": 1, "endpoint": endpoint.url} == rows[1].origin.sampling
    assert (rows[0].tokens, rows[0].finish) == (5, "eos")
    assert done[-1] == (12, 12)


def test_a_sampling_that_failed_half_way_goes_on_and_asks_nothing_twice(tmp_path):
    numbers = itertools.count(1)

    def failing(body):
        return refused(400, "bad luck") if next(numbers) == 8 else by_seed(body)

    path = tmp_path / "c.jsonl"
    with answering(failing) as endpoint:
        with pytest.raises(UserError, match=r"HTTP 400.*bad luck"):
            write_candidates(PROMPTS, sampled(endpoint.url), base="unused", path=path)
        replies = tmp_path / "c.replies.jsonl"
        kept = len(replies.read_text().splitlines())
        replies.write_text(replies.read_text() + '{"key": "torn')
        rows = write_candidates(PROMPTS, sampled(endpoint.url), base="unused", path=path)
    # Of all requests only the refused one had to be made again.
    assert len(endpoint.asked) == 12 + 1
    assert 7 <= kept < 12
    assert len(rows) == len({(row.prompt_id, row.text) for row in rows}) == 12


def test_an_answer_cut_off_is_known_as_such_and_an_empty_one_stays(tmp_path):
    texts = iter([None, "x"])
    with answering(lambda body: said(next(texts), finish="length")) as endpoint:
        rows = write_candidates({"p0": PROMPTS["p0"]}, sampled(endpoint.url), base="unused", path=tmp_path / "c.jsonl")
    assert {row.finish for row in rows} == {"length"}
    assert sorted(row.text for row in rows) == ["", "x"]


def test_a_missing_key_and_a_dead_endpoint_are_said_plainly(tmp_path):
    settings = sampled("http://127.0.0.1:9/v1", api_key_env="PREFLOOP_NO_SUCH_KEY")
    with pytest.raises(UserError, match="PREFLOOP_NO_SUCH_KEY"):
        write_candidates(PROMPTS, settings, base="unused", path=tmp_path / "c.jsonl")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9.*can't be reached"):
        write_candidates(PROMPTS, sampled("http://127.0.0.1:9/v1"), base="unused", path=tmp_path / "c.jsonl")

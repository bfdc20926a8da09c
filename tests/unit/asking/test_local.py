"""Questions answered by a local model: kept, resumed, sampled as asked, and counted where there is no room."""

from pathlib import Path

import pytest
from prefloop.asking import Message, Question, answer_locally, make_question, read_replies
from prefloop.asking.question import NO_ROOM
from prefloop.models import ModelFolder, resolve_model
from tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A random model that writes a letter a token, and shows no roles."""
    template = "{% for message in messages %}{{ message['content'] }}<|end|>{% endfor %}"
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", context=64, template=template)
    return resolve_model(str(folder))


def asked(model: ModelFolder, count: int = 7, **sampling: float) -> list[Question]:
    return [
        make_question(model, [Message("user", "why? " * (n % 3 + 1) + str(n))], max_tokens=9, **sampling)  # type: ignore[arg-type]
        for n in range(count)
    ]


class Stopped(Exception):
    pass


def test_a_stopped_answering_goes_on_to_the_same_replies(model: ModelFolder, tmp_path: Path) -> None:
    questions = asked(model) + asked(model, 3, temperature=1.0, seed=4)

    def stop(done: int, total: int) -> None:
        assert total == 10
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        answer_locally(questions, model, tmp_path / "s.jsonl", stop, batch_size=2)
    assert len(read_replies(tmp_path / "s.jsonl")) == 4
    resumed = answer_locally(questions, model, tmp_path / "s.jsonl", batch_size=2)
    whole = answer_locally(questions, model, tmp_path / "whole.jsonl", batch_size=2)
    assert {key: reply.text for key, reply in resumed.items()} == {key: reply.text for key, reply in whole.items()}
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 10
    assert {(reply.price, reply.finish in ("stop", "length")) for reply in whole.values()} == {(None, True)}


def test_sampling_is_part_of_the_question(model: ModelFolder, tmp_path: Path) -> None:
    greedy, first, second = (
        asked(model, 1, **each)[0] for each in ({}, {"temperature": 1.5}, {"temperature": 1.5, "seed": 9})
    )
    replies = answer_locally([greedy, first, second], model, tmp_path / "s.jsonl")
    assert len({reply.text for reply in replies.values()}) == 3


def test_a_question_without_room_gets_an_empty_reply(model: ModelFolder, tmp_path: Path) -> None:
    long = make_question(model, [Message("user", "x" * 60)], max_tokens=9)
    replies = answer_locally([long, *asked(model, 2)], model, tmp_path / "s.jsonl")
    reply = replies[long.key]
    assert (reply.text, reply.finish, reply.output_tokens, reply.input_tokens) == ("", NO_ROOM, 0, 61)
    assert len(replies) == 3


def test_nothing_owed_loads_nothing(model: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked(model, 2)
    first = answer_locally(questions, model, tmp_path / "s.jsonl")
    monkeypatch.setattr("prefloop.asking.local.load_model", None)
    assert answer_locally(questions, model, tmp_path / "s.jsonl") == first

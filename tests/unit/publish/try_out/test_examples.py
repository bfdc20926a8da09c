"""A file of examples is read whole, or all that is wrong with it is told at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from prefloop.asking import Message
from prefloop.asking.generate import Answer
from prefloop.errors import Problems, UserError
from prefloop.publish.try_out import Example, TryOutSettings, read_examples
from prefloop.publish.try_out.examples import is_right


def read(tmp_path: Path, *rows: Any, **settings: Any) -> list[Example]:
    path = tmp_path / "examples.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return read_examples(path, TryOutSettings(**settings))


def one(tmp_path: Path, **row: Any) -> Example:
    return read(tmp_path, {"prompt": "Where is Oslo?", **row})[0]


def test_every_kind_of_example_is_read(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "And Lima?"}]
    found = read(
        tmp_path,
        {"prompt": "Where is Oslo?", "answer": "Norway", "id": "oslo"},
        "",
        {"prompt": turns, "answer": ["Peru", "in Peru"], "check": "[A-Z].*", "group": "south"},
        {"prompt": "Write to Ada.", "chosen": "Dear Ada", "rejected": "Hey"},
        {"prompt": "Anything else?"},
    )
    assert [(example.line, example.accepted, example.scored, example.paired) for example in found] == [
        (1, ("Norway",), True, False),
        (3, ("Peru", "in Peru"), True, False),
        (4, (), False, True),
        (5, (), False, False),
    ]
    assert found[0].id == "oslo"
    assert found[0].group == "oslo"
    assert found[1].group == "south"
    assert found[1].prompt == (Message("system", "Be short."), Message("user", "And Lima?"))
    assert found[2].good == "Dear Ada"


def test_a_system_message_goes_before_text_and_not_before_messages(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "And Lima?"}]
    text, messages = read(tmp_path, {"prompt": "Where is Oslo?"}, {"prompt": turns}, system="Be short.")
    assert [message.role for message in text.prompt] == ["system", "user"]
    assert [message.role for message in messages.prompt] == ["user"]


@pytest.mark.parametrize(
    ("text", "right"),
    [("Norway", True), (" norway. ", True), ("in  Norway", True), ("Norway, I think", False), ("", False)],
)
def test_case_space_and_a_full_stop_do_not_count(tmp_path: Path, text: str, right: bool) -> None:
    example = one(tmp_path, answer=["Norway", "in Norway"])
    assert is_right(example, Answer(text, 3, "eos")) is right


def test_a_check_is_the_recipes_own(tmp_path: Path) -> None:
    example = one(tmp_path, check={"pattern": r"(?P<label>yes|no): .*", "max_words": 3, "labels": ["Yes"]})
    said = {
        text: is_right(example, Answer(text, 3, "eos")) for text in ("yes: a b", "yes: a b c", "no: a b", "maybe: a")
    }
    assert said == {"yes: a b": True, "yes: a b c": False, "no: a b": False, "maybe: a": False}
    assert not is_right(example, Answer("yes: a b", 3, "length")), "a check wants an answer that ended"


def test_an_answer_and_a_check_must_both_hold(tmp_path: Path) -> None:
    example = one(tmp_path, answer="Norway", check="[A-Z].*")
    assert is_right(example, Answer("Norway", 3, "eos"))
    assert not is_right(example, Answer("norway", 3, "eos"))


def test_all_problems_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    rows = [
        {"prompt": "fine"},
        "not json",
        {"prompt": "x", "anwser": "y"},
        {"answer": "y"},
        {"prompt": "only bad", "bad": "b"},
        {"prompt": "both", "good": "a", "chosen": "a", "bad": "b"},
        {"prompt": "a check", "check": "("},
        {"prompt": "a check", "check": {"pattern": "x", "labels": ["y"]}},
        {"prompt": [{"role": "assistant", "content": "I"}]},
        {"prompt": "fine", "id": "again"},
        {"prompt": "alike", "good": "a", "bad": "a"},
        {"prompt": "empty", "answer": []},
    ]
    with pytest.raises(Problems) as caught:
        read(tmp_path, *rows)
    told = list(caught.value.problems)
    wanted = [
        ("line 2", "no JSON"), ("line 3: anwser", "no such key"), ("line 4: prompt", "required"),
        ("line 5", "a good one beside it"), ("line 6", "mean the same"), ("line 7: check", "not a regular expression"),
        ("line 8: check", "group `label`"), ("line 9", "the user's"), ("line 11", "the same"),
        ("line 12", "empty list"),
        ("line 10", "same prompt as line 1"),
    ]  # fmt: skip
    assert len(told) == len(wanted), told
    for line, (start, words) in zip(told, wanted, strict=True):
        assert line.startswith(start), (line, start)
        assert words in line, (line, words)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        read(tmp_path, *[{"nothing": number} for number in range(30)])
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 40 more"


def test_the_same_id_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="line 2: the same id as line 1"):
        read(tmp_path, {"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"})


def test_a_missing_and_an_empty_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        read_examples(tmp_path / "none.jsonl", TryOutSettings())
    with pytest.raises(UserError, match="holds no example"):
        read(tmp_path, "", "")

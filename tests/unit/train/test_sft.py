import json

import pytest
from prefloop.collect import Message
from prefloop.errors import Problems, UserError
from prefloop.train.sft import Demonstration, chosen_answers, demonstrations_sha256, read_demonstrations

ASKED, ANSWERED = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}


def written(path, *messages):
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in messages) + "\n")
    return path


def test_the_last_answer_is_learned_and_all_before_it_is_read(tmp_path):
    rows = [[ASKED, ANSWERED], [{"role": "system", "content": "Be kind."}, ASKED, ANSWERED, ASKED, ANSWERED]]
    short, long = read_demonstrations(written(tmp_path / "shown.jsonl", *rows))
    assert short == Demonstration((Message("user", "Hi?"),), "Hello.")
    assert [turn.role for turn in long.prompt] == ["system", "user", "assistant", "user"]


def test_all_problems_of_a_file_come_at_once(tmp_path):
    path = written(
        tmp_path / "shown.jsonl", [ASKED, ANSWERED], [ASKED], [ANSWERED, ASKED], [ANSWERED, ANSWERED],
        [ASKED, {"role": "bot", "content": "x"}], [ASKED, {"role": "assistant", "content": ""}],
    )  # fmt: skip
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(Problems) as caught:
        read_demonstrations(path)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"line {n}" for n in (2, 3, 4, 5, 6, 8)]
    assert "not the assistant's" in caught.value.problems[1]
    assert "not the user's" in caught.value.problems[2]


def test_a_missing_or_empty_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="can't be read"):
        read_demonstrations(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="holds no demonstrations"):
        read_demonstrations(written(tmp_path / "empty.jsonl"))


def test_chosen_answers_are_taken_once_and_ties_not(make_pair):
    twice = [make_pair("same?", rejected="bad"), make_pair("same?", rejected="worse")]
    found = chosen_answers([*twice, make_pair("same?", kind="tie", chosen="neither")])
    assert found == [Demonstration((Message("user", "same?"),), "good answer")]


def test_the_order_of_demonstrations_is_no_other_data():
    one, two = (Demonstration((Message("user", text),), "Yes.") for text in "ab")
    assert demonstrations_sha256([one, two]) == demonstrations_sha256([two, one])
    assert demonstrations_sha256([one]) != demonstrations_sha256([two])

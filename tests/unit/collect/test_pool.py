"""Prompts in, pairs of presentable answers out, everything else counted."""

import json

import pytest
from prefloop.collect import Message, Origin
from prefloop.collect.sampling.pool import Prompt, make_pool, read_prompts
from prefloop.collect.sampling.writers import SampleSettings, WriterSettings, Written
from prefloop.errors import Problems, UserError

SETTINGS = SampleSettings(prompts="prompts.jsonl")
PROMPT = Prompt((Message("user", "My kettle leaks."),), ("kitchen",))


def written(*texts, finish="eos"):
    return [Written(PROMPT.id, text, 3, finish, Origin("model", f"m{n}")) for n, text in enumerate(texts)]


def write(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_every_two_presentable_answers_make_an_item():
    pool = make_pool([PROMPT], written("Unplug it first.", "Send a photo of the base, please.", "Bin it."), SETTINGS)
    assert [(item.response_a, item.response_b) for item in pool.items] == [
        ("Unplug it first.", "Send a photo of the base, please."),
        ("Unplug it first.", "Bin it."),
        ("Send a photo of the base, please.", "Bin it."),
    ]
    assert pool.items[1].origin_b == Origin("model", "m2")
    assert pool.items[0].tags == ("kitchen",)
    assert (pool.answers, pool.left_out, pool.prompts_without) == (3, {}, ())


def test_what_is_left_out_is_counted_with_prompt_and_writer():
    answers = written("Unplug it first.", "unplug it  FIRST!", "", "I am ChatGPT.")
    pool = make_pool([PROMPT], [*answers, *written("Half an ans", finish="length")], SETTINGS)
    assert pool.items == ()
    assert pool.left_out == {
        "near-duplicate of another answer": (f"{PROMPT.id}: m1",),
        "empty": (f"{PROMPT.id}: m2",),
        "names its maker": (f"{PROMPT.id}: m3",),
        "cut off": (f"{PROMPT.id}: m0",),
    }
    assert pool.prompts_without == (PROMPT.id,)


def test_a_name_of_ones_own_can_be_hidden():
    settings = SampleSettings(prompts="prompts.jsonl", hide=("KitchenBot",))
    pool = make_pool([PROMPT], written("KitchenBot here.", "Unplug it."), settings)
    assert list(pool.left_out) == ["names its maker"]


def test_prompts_are_texts_or_conversations(tmp_path):
    path = write(
        tmp_path / "p.jsonl",
        {"prompt": "One"},
        "",
        {
            "prompt": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Two"},
                {"role": "assistant", "content": "2"},
                {"role": "user", "content": "Three"},
            ],
            "tags": ["long"],
        },
    )
    one, two = read_prompts(path)
    assert one == Prompt((Message("user", "One"),))
    assert (len(two.prompt), two.tags) == (4, ("long",))


def test_all_problems_of_a_file_at_once(tmp_path):
    path = write(
        tmp_path / "p.jsonl",
        {"prompt": "One"},
        {"prompt": "One"},
        {"prompt": " "},
        {"text": "One"},
        "not json",
        {"prompt": [{"role": "robot", "content": "x"}]},
        {"prompt": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
        "[1]",
    )
    with pytest.raises(Problems) as found:
        read_prompts(path)
    lines = [problem.split(":")[0] for problem in found.value.problems]
    assert lines == [f"line {number}" for number in range(2, 9)]
    assert "the same prompt as line 1" in str(found.value)


def test_a_file_without_prompts_and_no_file(tmp_path):
    with pytest.raises(Problems, match="no prompt"):
        read_prompts(write(tmp_path / "p.jsonl", ""))
    with pytest.raises(UserError, match="can't be read"):
        read_prompts(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"writers": [{"count": 1}]}, "two answers"),
        ({"writers": [{"count": 2, "temperature": 0}]}, "temperature above 0"),
        ({"writers": [{"endpoint": "http://u:p@h/v1", "model": "m", "count": 2}]}, "user or password"),
        ({"writers": [{"endpoint": "http://h/v1", "count": 2}]}, "model's name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(row, words):
    with pytest.raises(ValueError, match=words):
        SampleSettings.model_validate({"prompts": "p.jsonl"} | row)


def test_writers_default_to_two_answers_of_the_base_model():
    assert SETTINGS.writers == (WriterSettings(count=2),)

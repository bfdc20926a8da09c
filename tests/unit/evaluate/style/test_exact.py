import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import Problems, UserError
from prefloop.evaluate.statistics import Plan
from prefloop.evaluate.style import Compared, StyleSettings, is_right, measure_style, read_answers, say, stated_answer

PLAN = Plan(samples=200)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris", "paris"),
        ("The answer is: Paris.", "Paris"),
        ("**Answer:** the Eiffel Tower", "Eiffel Tower"),
        ("Let us add.\n#### 1,200", "1200"),
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        ("She sells 16 - 3 - 4 = 9 eggs a day, so she makes 9 * 2 = $18", "18"),
        ("The answer is 12.50 dollars, of 30", "12.5"),
        ("It is 3/4", "0.75"),
        ("20%", "20"),
        ("Answer: -7", "-7"),
    ],
)
def test_right_answers_are_right_however_they_are_written(text, answer):
    assert is_right(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It could be Paris, London or Rome", "Paris"),
        ("Not Paris", "Paris"),
        ("The answer is London. Paris is in France.", "Paris"),
        ("18 eggs, then 17", "18"),
        ("", "Paris"),
        ("...", "Paris"),
        ("The answer is 1200", "120"),
    ],
)
def test_a_right_answer_somewhere_in_the_text_is_not_enough(text, answer):
    assert not is_right(text, [answer])


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_equals_itself_in_any_spelling(number):
    assert is_right(f"#### {number:,}", [str(number)])
    assert not is_right(f"#### {number + 1}", [str(number)])


@given(st.text(max_size=200))
def test_any_text_has_a_stated_answer(text):
    assert isinstance(stated_answer(text), str)
    is_right(text, ["1/0", "9" * 5000, "x"])


def test_answers_are_read_with_every_bad_line_named(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"prompt_id": "a", "answer": 3}\n{"prompt_id": "a", "answer": ["three", "III"]}\n')
    assert read_answers(path) == {"a": ("3", "three", "III")}
    path.write_text('{"prompt_id": "a"}\nno\n{"prompt_id": "b", "answer": ""}\n')
    with pytest.raises(Problems, match="line 1") as problems:
        read_answers(path)
    assert len(problems.value.problems) == 3
    with pytest.raises(UserError, match="can't be read"):
        read_answers(tmp_path / "none.jsonl")


def test_a_model_that_is_preferred_and_less_often_right_has_learnt_to_sound_better(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f'{{"prompt_id": "{n}", "answer": "yes"}}\n' for n in range(60)))
    rows = [Compared(str(n), "yes", "no" if n < 30 else "yes", float(n % 4 > 0)) for n in range(60)]
    found = measure_style([*rows, Compared("x", "a", "b", 1.0)], "judge", StyleSettings(answers=path), PLAN)
    assert found.right.rate.base.value == 1
    assert found.right.rate.tuned.value == 0.5
    assert found.right.left_out[0].ids == ("x",)
    assert "It is preferred more and right less: it learnt to sound better." in say(found)

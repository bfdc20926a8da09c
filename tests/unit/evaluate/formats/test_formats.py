"""Wordings, and how far a score depends on them, against numbers worked out by hand or otherwise."""

import json
from pathlib import Path

import numpy as np
import pytest
from prefloop.errors import UserError
from prefloop.evaluate.estimate import Estimate, LeftOut, ModelIdentity
from prefloop.evaluate.formats import Flips, Formats, FormatsSettings, Variant, Wording, spread, word
from prefloop.evaluate.formats.page import section
from prefloop.evaluate.formats.questions import READ, read_questions
from prefloop.evaluate.formats.wordings import REFERENCE, WORDINGS, wordings_for
from prefloop.evaluate.formats.words import sentences, variant_cells
from prefloop.evaluate.general import Question
from prefloop.evaluate.statistics import decide, paired_difference
from pydantic import TypeAdapter, ValidationError

QUESTION = Question(question="What is it?", choices=("an owl", "a cat"), answer=1)


def test_the_reference_lists_choices_and_answers_by_letter() -> None:
    prompt = word(QUESTION, REFERENCE)
    assert prompt.context == "Question: What is it?\nA. an owl\nB. a cat\nAnswer:"
    assert prompt.continuations == (" A", " B")
    assert prompt.order == (0, 1)


@pytest.mark.parametrize(
    ("wording", "context", "continuations"),
    [
        (Wording("x", question="Q:", answer="A:"), "Q: What is it?\nA. an owl\nB. a cat\nA:", (" A", " B")),
        (Wording("x", case="upper"), "QUESTION: What is it?\nA. an owl\nB. a cat\nANSWER:", (" A", " B")),
        (Wording("x", between=" "), "Question: What is it? A. an owl B. a cat Answer:", (" A", " B")),
        (Wording("x", reverse=True), "Question: What is it?\nA. a cat\nB. an owl\nAnswer:", (" A", " B")),
        (
            Wording("x", answered="texts"),
            "Question: What is it?\nChoices: an owl, a cat\nAnswer:",
            (" an owl", " a cat"),
        ),
        (Wording("x", answered="texts, unlisted"), "Question: What is it?\nAnswer:", (" an owl", " a cat")),
    ],
)
def test_each_wording_changes_what_it_names(wording: Wording, context: str, continuations: tuple[str, ...]) -> None:
    prompt = word(QUESTION, wording)
    assert (prompt.context, prompt.continuations) == (context, continuations)


def test_reversed_choices_keep_their_meaning() -> None:
    prompt = word(QUESTION, Wording("x", reverse=True))
    assert prompt.order == (1, 0)
    assert prompt.order[0] == QUESTION.answer, "the letter A now stands for the cat"


def test_yes_and_no_are_said_in_other_words_only_where_they_are_the_choices() -> None:
    yes = Question(question="Is it?", choices=("No", "Yes"), answer=0)
    names = {one.name for one in wordings_for([yes], chat=False)}
    assert {"True and False", "yes and no"} <= names
    assert len(names) == len(wordings_for([yes], chat=False))
    assert wordings_for([yes, QUESTION], chat=False) == WORDINGS
    assert wordings_for([QUESTION], chat=True)[-1].chat
    prompt = word(yes, Wording("x", answered="texts", labels=("True", "False")))
    assert prompt.continuations == (" False", " True")


def test_every_wording_differs_from_every_other() -> None:
    prompts = {word(QUESTION, one) for one in WORDINGS}
    assert len(prompts) == len(WORDINGS)


def test_spread_is_what_numpy_says() -> None:
    rng = np.random.default_rng(1)
    table = (rng.random((4, 60)) < np.array([[0.3], [0.5], [0.5], [0.9]])).astype(float)
    found = spread(table.tolist(), list("abcd"), [str(n) for n in range(60)], resamples=500)
    means = table.mean(1)
    assert found.mean == pytest.approx(means.mean())
    assert found.deviation == pytest.approx(np.std(means, ddof=1))
    assert (found.best, found.worst) == ("d", "a")
    assert found.gap.value == pytest.approx(means.max() - means.min())
    assert found.gap.low < found.gap.value < found.gap.high
    assert found.p == pytest.approx(1 / 501), "no deal of 500 shows as much"
    assert found.chance_gap < found.gap.value / 2


def test_wordings_that_change_nothing_are_not_shown_to_move_the_score() -> None:
    rng = np.random.default_rng(2)
    low = 0
    for number in range(40):
        table = (rng.random((6, 80)) < 0.5).astype(float)
        found = spread(table.tolist(), list("abcdef"), [str(n) for n in range(80)], resamples=200, seed=number)
        assert found.gap.value > 0, "the largest of many differences is never nothing"
        low += found.p < 0.05
    assert low <= 6, "5% of 40 by chance; more than 6 in about 1 case in 200"


def test_equal_scores_have_no_gap() -> None:
    found = spread([[1.0, 0.0, 1.0]] * 3, list("abc"), list("xyz"), resamples=200)
    assert (found.gap.value, found.gap.low, found.gap.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_clusters_widen_the_gaps_interval() -> None:
    rng = np.random.default_rng(3)
    blocks = np.repeat(rng.random((2, 10)) < 0.5, 20, axis=1).astype(float)
    names = [str(n // 20) for n in range(200)]
    grouped = spread(blocks.tolist(), ["a", "b"], names, resamples=500)
    single = spread(blocks.tolist(), ["a", "b"], [str(n) for n in range(200)], resamples=500)
    assert grouped.gap.high - grouped.gap.low > 2 * (single.gap.high - single.gap.low)


def test_spread_needs_two_wordings() -> None:
    with pytest.raises(ValueError, match="at least two wordings"):
        spread([[1.0]], ["a"], ["x"])


@pytest.mark.parametrize(
    ("row", "choices", "answer"),
    [
        ({"input": "not True is", "target": "False"}, ("True", "False"), 1),
        ({"input": "Do you return?\nOptions:\n- Yes\n- No", "target": "No"}, ("Yes", "No"), 1),
        ({"input": "Which day?\nOptions:\n(A) one\n(B) two", "target": "(B)"}, ("one", "two"), 1),
    ],
)
def test_bbh_options_are_taken_out_of_the_text(row: dict[str, str], choices: tuple[str, ...], answer: int) -> None:
    question = READ["bbh"](row)
    assert question is not None
    assert (question.choices, question.answer) == (choices, answer)
    assert "Options" not in question.question


def test_a_question_without_choices_is_left_out_and_counted(tmp_path: Path) -> None:
    assert READ["bbh"]({"input": "How many?", "target": "6"}) is None
    folder = tmp_path / "mirror" / "bbh"
    folder.mkdir(parents=True)
    rows = [{"input": "How many?", "target": "6"}]
    (folder / "object_counting.json").write_text(json.dumps({"examples": rows}))
    rows = [{"input": "Do you?\nOptions:\n- Yes\n- No", "target": "No"}] * 2
    (folder / "navigate.json").write_text(json.dumps({"examples": rows}))
    found = read_questions(FormatsSettings(data=tmp_path / "mirror", benchmark="bbh"), tmp_path / "scratch")
    assert len(found.questions) == 2
    assert [entry.count for entry in found.left_out] == [1]


def test_a_folder_needs_a_benchmark_and_a_benchmark_needs_choices(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say which benchmark"):
        read_questions(FormatsSettings(data=tmp_path), tmp_path)
    with pytest.raises(ValidationError, match="'gsm8k' has no choices to reword"):
        FormatsSettings(data=tmp_path, benchmark="gsm8k")
    with pytest.raises(ValidationError, match="'x' is no benchmark"):
        FormatsSettings(data=tmp_path, benchmark="x")


def formats() -> Formats:
    estimate = Estimate(0.5, 0.4, 0.6, 40, "x")
    better = decide(paired_difference([1.0] * 20, [0.0] * 20))
    rows = [[1.0] * 30 + [0.0] * 10, [0.0] * 30 + [1.0] * 10]
    found = spread(rows, ["one", "<two>"], [str(n) for n in range(40)], resamples=200)
    identity = ModelIdentity("m", "local", "s")
    variants = tuple(Variant(name, "Q: <b>", estimate, estimate, better) for name in ("one", "<two>"))
    return Formats(
        data="questions.jsonl", data_sha256="s", questions=40, models=(identity, identity), variants=variants,
        base=found, tuned=found, flips=Flips(1, 1, 0, 1, 0), left_out=(LeftOut("questions too long", ("3",)),),
        settings={}, confidence=0.95, seconds=1.0, created="2026",
    )  # fmt: skip


def test_an_audit_is_told_in_words_and_drawn() -> None:
    found = formats()
    said = sentences(found)
    assert "from 25% to 75%: 50.0 points between “one” and “<two>”" in said[0]
    assert said[0].endswith("Wording moves the score.")
    assert "The tuned model is ahead in 1 of 2 wordings, the base in 1" in said[2]
    assert said[3] == "Who is ahead depends on the wording."
    assert said[4] == "Left out: 1 questions too long."
    assert variant_cells(found.variants[0])[3].startswith("+100.0")
    html = section(found)
    assert html.count("<svg") == 1
    assert "<b>" not in html.replace("<b>one</b>", "").replace("<b>&lt;two&gt;</b>", "")
    adapter = TypeAdapter(Formats)
    assert adapter.validate_python(adapter.dump_python(found, mode="json"), strict=False) == found

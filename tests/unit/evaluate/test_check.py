from pathlib import Path

import pytest
from prefloop.collect.sampling.generate import Answer
from prefloop.errors import Problems, UserError
from prefloop.evaluate.check import (
    CheckSettings,
    check_answer,
    mark_answers,
    measure_check,
    read_labels,
    without_labels,
)
from prefloop.evaluate.statistics import Plan
from pydantic import ValidationError

SETTINGS = CheckSettings(pattern=r"(?P<label>[A-Z]+)\n.+", max_words=5)
RIGHT = frozenset({"late"})


def marks(text: str, finish: str = "eos", labels: frozenset[str] | None = RIGHT) -> dict[str, bool]:
    return check_answer(Answer(text, 3, finish), SETTINGS, labels)  # type: ignore[arg-type]


def test_a_good_answer_meets_everything() -> None:
    assert marks(" LATE\nSorry about that.\n") == {"shape": True, "label": True, "length": True, "finished": True}


def test_each_criterion_fails_by_itself() -> None:
    assert marks("LATE Sorry.") == {"shape": False, "label": False, "length": True, "finished": True}
    assert marks("BROKEN\nSorry.") == {"shape": True, "label": False, "length": True, "finished": True}
    assert marks("LATE\none two three four five") == {"shape": True, "label": True, "length": False, "finished": True}
    assert marks("LATE\nSorry", finish="length") == {"shape": True, "label": True, "length": True, "finished": False}


def test_the_whole_answer_must_match() -> None:
    assert marks("LATE\nSorry.\nmore lines")["shape"] is False


def test_an_unknown_label_is_not_a_wrong_one() -> None:
    assert "label" not in marks("LATE\nSorry.", labels=None)


def test_base_and_tuned_are_compared_per_criterion() -> None:
    answers = {f"p{number}": Answer("LATE\nSorry.", 3, "eos") for number in range(20)}
    bad = {name: Answer("Well, where to begin", 5, "eos") for name in answers}
    labels = {f"p{number}": RIGHT for number in range(15)}
    base, tuned = (mark_answers(side, SETTINGS, labels) for side in (bad, answers))
    found = {criterion.name: criterion.rate for criterion in measure_check(base, tuned, Plan(1000)).criteria}
    assert list(found) == ["shape", "label", "length", "finished", "all"]
    assert (found["shape"].base.value, found["shape"].tuned.value, found["shape"].verdict) == (0.0, 1.0, "better")
    assert found["label"].tuned.n == 15
    assert found["length"].verdict == "can't tell yet"


def test_prompts_without_labels_are_named(tmp_path: Path) -> None:
    settings = CheckSettings(pattern="(?P<label>.*)", labels=tmp_path / "labels.jsonl")
    assert [entry.ids for entry in without_labels(["p1", "p2"], settings, {"p1": RIGHT})] == [("p2",)]
    assert without_labels(["p1"], settings, {"p1": RIGHT}) == []


def test_labels_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"prompt_id": "p1", "labels": ["LATE", " Lost "]}\n')
    assert read_labels(path) == {"p1": frozenset({"late", "lost"})}
    path.write_text('{"prompt_id": "p1"}\nnonsense\n')
    with pytest.raises(Problems) as raised:
        read_labels(path)
    assert len(raised.value.problems) == 2
    with pytest.raises(UserError, match="can't be read"):
        read_labels(tmp_path / "missing.jsonl")


def test_settings_that_could_never_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        CheckSettings(pattern="(")
    with pytest.raises(ValidationError, match="group `label`"):
        CheckSettings(pattern="[A-Z]+", labels=tmp_path / "labels.jsonl")

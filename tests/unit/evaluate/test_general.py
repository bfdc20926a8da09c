import json
from pathlib import Path

import pytest
from prefloop.errors import Problems, UserError
from prefloop.evaluate.general import GeneralSettings, measure_general, read_general
from prefloop.evaluate.statistics import Plan

GOOD = {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_questions_are_read_up_to_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "general.jsonl", GOOD, GOOD | {"question": "3 + 1?"}, GOOD)
    data = read_general(GeneralSettings(data=path, limit=2))
    assert [question.question for question in data.questions] == ["2 + 2?", "3 + 1?"]
    assert data.name == "general.jsonl"


def test_all_bad_lines_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "general.jsonl", GOOD, GOOD | {"answer": 2}, {"question": "?"}, GOOD | {"choices": ["4"]})
    with pytest.raises(Problems) as raised:
        read_general(GeneralSettings(data=path))
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["line 2", "line 3", "line 4"]


def test_a_missing_or_empty_file_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        read_general(GeneralSettings(data=tmp_path / "none.jsonl"))
    with pytest.raises(UserError, match="no questions"):
        read_general(GeneralSettings(data=write(tmp_path / "empty.jsonl")))


def test_answers_are_compared_question_by_question(tmp_path: Path) -> None:
    data = read_general(GeneralSettings(data=write(tmp_path / "general.jsonl", *[GOOD] * 40)))
    found = measure_general(data, [1.0] * 40, [1.0] * 20 + [0.0] * 20, Plan(1000))
    assert (found.accuracy.verdict, found.accuracy.difference.value) == ("worse", -0.5)
    assert "40 questions" in found.accuracy.base.method

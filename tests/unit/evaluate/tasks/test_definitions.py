import json
from pathlib import Path

import pytest
import yaml
from prefloop.errors import Problems
from prefloop.evaluate.tasks import TasksSettings
from prefloop.evaluate.tasks.catalogue import choose, resolve_name
from prefloop.evaluate.tasks.definitions import define
from pydantic import ValidationError


def settings(mirror: Path, *names: str, **more: object) -> TasksSettings:
    return TasksSettings.model_validate({"run": names, "data_dir": mirror, **more})


def test_names_stand_for_leaderboards_benchmarks_and_parts() -> None:
    assert [one.source.name for one in resolve_name("leaderboard_v2")] == [
        "ifeval", "bbh", "math", "gpqa", "musr", "mmlu_pro",
    ]  # fmt: skip
    (bbh,) = resolve_name("bbh")
    assert len(bbh.benchmark.subtasks) == 24
    (part,) = resolve_name("leaderboard_bbh_navigate")
    assert [one.task for one in part.benchmark.subtasks] == ["leaderboard_bbh_navigate"]
    assert len(part.whole.subtasks) == 24
    assert resolve_name("nonsense") == ()


def test_parts_of_one_benchmark_become_one_row() -> None:
    (chosen,) = choose(["mmlu_virology", "mmlu_anatomy", "mmlu_virology"])
    assert [one.task for one in chosen.benchmark.subtasks] == ["mmlu_anatomy", "mmlu_virology"]


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="'leaderboard_v3' is no task: known are leaderboard_v2"):
        TasksSettings(run=("leaderboard_v3",))


def test_a_task_is_lm_evals_own_with_other_data(mirror: Path, tmp_path: Path) -> None:
    found = define(settings(mirror, "bbh"), tmp_path / "out")
    (defined,) = found.tasks
    config = yaml.safe_load(defined.file.read_text())
    assert Path(config["include"]).name == "boolean_expressions.yaml"
    assert config["dataset_path"] == "json"
    assert config["num_fewshot"] == 3
    rows = Path(config["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines()
    assert [json.loads(row) for row in rows] == [{"input": "not True is", "target": "False"}] * 2
    (missing,) = found.left_out
    assert missing.count == 23
    assert "leaderboard_bbh_navigate" in missing.ids


def test_worked_examples_come_from_the_mirror_or_not_at_all(mirror: Path, tmp_path: Path) -> None:
    found = define(settings(mirror, "gsm8k", "arc"), tmp_path / "out")
    by_name = {group.name: group for group in found.groups}
    configs = {task.task: yaml.safe_load(task.file.read_text()) for task in found.tasks}
    assert configs["gsm8k"]["num_fewshot"] == 3, "no more than there are"
    assert by_name["gsm8k"].notes == ("worked examples are drawn from the data folder's 3",)
    assert configs["arc_challenge"]["num_fewshot"] == 0
    assert configs["arc_challenge"]["training_split"] is None
    assert configs["arc_challenge"]["validation_split"] is None
    assert by_name["arc"].notes == ("no worked examples: the data folder has no train* file",)
    asked = define(settings(mirror, "gsm8k", num_fewshot=1), tmp_path / "out")
    assert yaml.safe_load(asked.tasks[0].file.read_text())["num_fewshot"] == 1


def test_subjects_are_told_apart(mirror: Path, tmp_path: Path) -> None:
    found = define(settings(mirror, "mmlu"), tmp_path / "out")
    assert [task.task for task in found.tasks] == ["mmlu_anatomy", "mmlu_virology"]
    assert found.left_out[0].count == 55


def test_everything_wrong_is_told_at_once(mirror: Path, tmp_path: Path) -> None:
    bad = mirror / "arc" / "arc_challenge_3.jsonl"
    bad.write_text(bad.read_text() + '{"query": "x", "choices": ["a", "b"], "gold": 5}\n' * 5)
    own = tmp_path / "own.jsonl"
    own.write_text('{"question": "x", "choices": ["a", "b"], "answer": 2}\n')
    with pytest.raises(Problems) as caught:
        define(settings(mirror, "arc", "hellaswag", "gpqa", str(own), str(tmp_path / "none.yaml")), tmp_path / "out")
    said = str(caught.value)
    assert "row 4: gold 5 is no index into 2 choices" in said
    assert "2 more such rows" in said
    assert f"hellaswag: {mirror / 'hellaswag'} is no folder" in said
    assert f"gpqa: {mirror / 'gpqa'} is no folder" in said
    assert "line 1: : Value error, answer 2 is no index" in said
    assert f"{tmp_path / 'none.yaml'} is no file" in said


def test_an_empty_folder_is_told(mirror: Path, tmp_path: Path) -> None:
    (mirror / "winogrande").mkdir()
    with pytest.raises(Problems, match=r"holds none of winogrande\*, validation\*"):
        define(settings(mirror, "winogrande"), tmp_path / "out")


def test_what_is_asked_decides_the_hash_not_where_it_lies(mirror: Path, tmp_path: Path) -> None:
    first = define(settings(mirror, "arc"), tmp_path / "one").tasks[0]
    second = define(settings(mirror, "arc"), tmp_path / "two").tasks[0]
    assert first.sha256 == second.sha256
    path = mirror / "arc" / "arc_challenge_3.jsonl"
    path.write_text(path.read_text().replace("Which is 1?", "Which is one?"))
    assert define(settings(mirror, "arc"), tmp_path / "one").tasks[0].sha256 != first.sha256


def test_own_questions_become_a_task(tmp_path: Path) -> None:
    choices, exact = tmp_path / "my choices.jsonl", tmp_path / "exact.jsonl"
    choices.write_text('{"question": "x?", "choices": ["a", "b"], "answer": 1}\n')
    exact.write_text('{"question": "x?", "answer": "b"}\n')
    found = define(TasksSettings(run=(str(choices), str(exact))), tmp_path / "out")
    configs = [yaml.safe_load(task.file.read_text()) for task in found.tasks]
    assert [config["task"] for config in configs] == ["my_choices", "exact"]
    assert [config["output_type"] for config in configs] == ["multiple_choice", "generate_until"]


def test_both_kinds_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"question": "x?", "choices": ["a", "b"], "answer": 1}\n{"question": "x?", "answer": "b"}\n')
    with pytest.raises(Problems, match="both kinds of questions"):
        define(TasksSettings(run=(str(path),)), tmp_path / "out")


def test_an_own_task_file_is_pointed_to_its_data(tmp_path: Path) -> None:
    own = tmp_path / "own" / "mine.yaml"
    own.parent.mkdir()
    own.write_text(
        "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\n"
        "process_docs: !function code.docs\n"
    )
    with pytest.raises(Problems, match=r"rows\.jsonl is no file"):
        define(TasksSettings(run=(str(own),)), tmp_path / "out")
    (own.parent / "rows.jsonl").write_text("{}\n")
    before = define(TasksSettings(run=(str(own),)), tmp_path / "out").tasks[0]
    config = yaml.safe_load(before.file.read_text())
    assert config["include"] == str(own)
    assert config["dataset_kwargs"]["data_files"] == {"test": str(own.parent / "rows.jsonl")}
    (own.parent / "code.py").write_text("def docs(rows): return rows\n")
    assert define(TasksSettings(run=(str(own),)), tmp_path / "out").tasks[0].sha256 != before.sha256


def test_two_tasks_of_one_name_are_refused(mirror: Path, tmp_path: Path) -> None:
    own = tmp_path / "gsm8k.jsonl"
    own.write_text('{"question": "x?", "answer": "b"}\n')
    with pytest.raises(Problems, match="gsm8k: two of the tasks have this name"):
        define(settings(mirror, "gsm8k", str(own)), tmp_path / "out")

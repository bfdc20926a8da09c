import json

import pytest
from prefloop.errors import UserError
from prefloop.runs import (
    Cost,
    open_run,
    peak_memory_mb,
    read_lines,
    reset_peak_memory,
    timed,
    write_json,
    write_lines,
    write_text,
)

RECIPE = {"name": "x", "train": {"beta": 0.1, "seed": 0}}


def test_a_run_is_resumed_with_the_same_recipe_and_refused_with_another(tmp_path):
    open_run(tmp_path / "x", RECIPE)
    open_run(tmp_path / "x", RECIPE)
    with pytest.raises(UserError, match=r"changed: name\)"):
        open_run(tmp_path / "x", {"name": "y", "train": {"beta": 0.2, "seed": 0}})
    open_run(tmp_path / "x", {"name": "y"}, overwrite=True)
    assert json.loads((tmp_path / "x/recipe.json").read_text()) == {"name": "y"}


def test_evaluation_settings_may_change_and_take_their_results_with_them(tmp_path):
    run = open_run(tmp_path / "x", RECIPE | {"evaluate": {"seed": 0}})
    for phase in ("pull", "train", "evaluate", "release"):
        with timed(run, phase):
            pass
    assert list(open_run(tmp_path / "x", RECIPE | {"evaluate": {"seed": 1}}).costs) == ["pull", "train"]
    assert json.loads((tmp_path / "x/recipe.json").read_text())["evaluate"] == {"seed": 1}


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="is not a prefloop run"):
            open_run(tmp_path, RECIPE, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").exists()


def test_a_phase_is_done_only_when_it_ends_and_takes_later_phases_with_it(tmp_path):
    run = open_run(tmp_path / "x", RECIPE)
    for phase in ("pull", "train", "evaluate"):
        with timed(run, phase) as summary:
            summary.append(f"{phase} went well")
    assert list(run.costs) == ["pull", "train", "evaluate"]
    with pytest.raises(RuntimeError), timed(run, "train"):
        raise RuntimeError
    assert list(run.costs) == ["pull"]
    assert run.costs["pull"].summary == "pull went well"


def test_peak_memory_is_the_phases_own():
    reset_peak_memory()
    before = peak_memory_mb()
    block = bytearray(200 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_memory_mb() >= before + 150
    del block
    reset_peak_memory()
    assert peak_memory_mb() < before + 150


def test_two_processes_never_work_in_one_run(tmp_path):
    run = open_run(tmp_path / "x", RECIPE)
    with run.locked(), pytest.raises(UserError, match="in use by another"), open_run(tmp_path / "x", RECIPE).locked():
        pass


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_lines(path, [{"n": 1}, {"n": "é\u2028"}])
    with path.open("a") as file:
        file.write('{"n": 3')
    assert read_lines(path) == [{"n": 1}, {"n": "é\u2028"}]
    with path.open("a") as file:
        file.write('{"n": 4}\n')
    assert [row["n"] for row in read_lines(path)] == [1, "é\u2028", 4]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    write_text(path, "secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_training_settings_change_until_something_is_trained(tmp_path):
    def recipe(**train):
        return {"name": "r", "train": {"beta": 0.1} | train}

    run = open_run(tmp_path / "r", recipe())
    for phase in ("push", "label", "pull"):
        run.finish(phase, Cost(1.0, 1, ""))
    run = open_run(tmp_path / "r", recipe(beta=0.2))
    assert list(run.costs) == ["push", "label", "pull"]
    run.finish("train", Cost(1.0, 1, ""))
    with pytest.raises(UserError, match=r"another recipe \(changed: train\.beta\)"):
        open_run(tmp_path / "r", recipe(beta=0.3))


def test_what_people_are_asked_changes_by_migration_only(tmp_path):
    def recipe(**collect):
        return {"name": "r", "collect": {"form": {"tie": True}, "guidelines": "g.md", "queue": "q"} | collect}

    run = open_run(tmp_path / "r", recipe())
    for phase in ("push", "label", "pull"):
        run.finish(phase, Cost(1.0, 1, ""))
    changed = recipe(form={"tie": False}, guidelines="new.md")
    with pytest.raises(UserError, match=r"collect\.form\.tie, collect\.guidelines.*collect migrate"):
        open_run(tmp_path / "r", changed)
    with pytest.raises(UserError, match="run of another recipe"):
        open_run(tmp_path / "r", changed | {"name": "s"}, migrating=True)
    assert list(run.costs) == ["push", "label", "pull"]
    assert list(open_run(tmp_path / "r", changed, migrating=True).costs) == []
    open_run(tmp_path / "r", changed)

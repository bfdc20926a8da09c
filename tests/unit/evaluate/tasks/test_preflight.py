from pathlib import Path

import pytest
from prefloop.evaluate.tasks import preflight
from prefloop.evaluate.tasks.definitions import Defined, Definitions, Group
from prefloop.evaluate.tasks.preflight import check_packages, data_revision


def definitions(*tasks: str) -> Definitions:
    return Definitions(Path(), (Group("x", "your own", None, tuple(Defined(task, Path(), "s", ()) for task in tasks)),))


def test_what_a_task_needs_is_looked_for_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    found = check_packages(definitions("leaderboard_ifeval", "leaderboard_math_algebra_hard", "gsm8k"))
    assert found == [
        'leaderboard_ifeval needs langdetect, immutabledict, nltk: pip install "prefloop[tasks]"',
        'leaderboard_math needs sympy, math_verify, antlr4: pip install "prefloop[tasks]"',
    ]
    assert check_packages(definitions("gsm8k")) == []


def test_missing_nltk_data_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(preflight, "find_spec", lambda name: name)
    (said,) = check_packages(definitions("leaderboard_ifeval"))
    assert "nltk.download('punkt_tab')" in said
    assert "NLTK_DATA" in said


def test_the_revision_of_the_hubs_data_is_what_this_machine_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    own, included = tmp_path / "own.yaml", tmp_path / "included.yaml"
    included.write_text("dataset_path: some/set\n")
    own.write_text("include: included.yaml\ntask: x\n")
    assert data_revision(own) == ""
    ref = tmp_path / "datasets--some--set" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_text("abc\n")
    assert data_revision(own) == "abc"

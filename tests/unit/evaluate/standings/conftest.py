import json
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.evaluate.estimate import ModelIdentity
from prefloop.evaluate.report import Report
from pydantic import TypeAdapter

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def make_run(tmp_path: Path, report: Report):
    """Write a run's folder as the leaderboard reads it."""

    def make(folder: str, *, base: str = "small/base-135M", tuned: str = "34" * 32, licence: str = "mit", gate=None):
        run = tmp_path / folder
        run.mkdir()
        changed = replace(
            report, base=ModelIdentity(base, "main", "12" * 32), tuned=ModelIdentity(base, "local", tuned)
        )
        (run / "report.json").write_bytes(TypeAdapter(Report).dump_json(changed))
        recipe = {"name": folder, "publish": {"license": licence, "base_license": "apache-2.0", "repo": None}}
        (run / "recipe.json").write_text(json.dumps(recipe))
        if gate is not None:
            (run / "gate.json").write_text(json.dumps({"passed": gate, "rules": []}))
        return run

    return make


@pytest.fixture
def make_benchmarks(tmp_path: Path):
    """Write what `prefloop bench tasks --json` writes, as far as the leaderboard reads it."""

    def make(file: str, scores: dict[str, float], *, name: str = "small/base-135M", sha256: str = "12" * 32) -> Path:
        rows = [
            {
                "name": task,
                "label": task,
                "questions": 50,
                "base": {"label": task, "score": {"value": value, "low": value - 5, "high": value + 5}},
                "tuned": None,
            }
            for task, value in scores.items()
        ]
        found = {"models": [{"name": name, "revision": "r", "sha256": sha256}], "rows": rows, "created": "2026-02-01"}
        (tmp_path / file).write_text(json.dumps(found))
        return tmp_path / file

    return make

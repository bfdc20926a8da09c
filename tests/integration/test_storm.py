"""A short storm of votes with kills; benchmarks/storm.py runs for five minutes, too long for every change."""

import importlib.util
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).parents[2] / "benchmarks" / "storm.py"


def test_kills_lose_and_double_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("storm", STORM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    monkeypatch.setitem(sys.modules, "storm", module)
    spec.loader.exec_module(module)
    result = module.storm(tmp_path, seconds=60, votes=300, kills=2, annotators=30, think=0.5, records=400)
    assert result["wrong"] == {}
    assert result["acknowledged"] > 100
    assert result["requests_cut_off"] > 0

import json
from pathlib import Path

import pytest
from prefloop.errors import UserError
from prefloop.evaluate import Report, read_report, write_report_json


def test_a_report_comes_back_as_it_was_written(report: Report, tmp_path: Path) -> None:
    path = write_report_json(tmp_path / "report.json", report)
    assert read_report(path) == report


def test_another_file_is_no_report(report: Report, tmp_path: Path) -> None:
    path = write_report_json(tmp_path / "report.json", report)
    row = json.loads(path.read_text())
    path.write_text(json.dumps(row | {"surprise": 1}))
    with pytest.raises(UserError, match="surprise"):
        read_report(path)
    del row["preference"]
    path.write_text(json.dumps(row))
    with pytest.raises(UserError, match="preference"):
        read_report(path)

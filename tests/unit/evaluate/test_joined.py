"""What people and audits find after an evaluation joins its report, if it is about the same model and judge."""

from dataclasses import replace

import pytest
from prefloop.collect import Item, Message, Origin, Vote
from prefloop.evaluate import read_report
from prefloop.evaluate.attacks import run_attacks, write_attacks
from prefloop.evaluate.judge_audit import Ruling, audit_judge, write_audit
from prefloop.evaluate.report import Report
from prefloop.evaluate.statistics import Plan
from prefloop.loop import reporting
from prefloop.runs import Run

PLAN = Plan(samples=1000)
ORIGIN = Origin("model", "somebody")
ITEMS = [Item((Message("user", f"Question {n}"),), f"Paris {n}.", f"Berlin {n}.", ORIGIN, ORIGIN) for n in range(12)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(reporting, "write_report_page", lambda path, run, report: path)
    votes = [Vote(item.id, person, "A", "A") for item in ITEMS for person in ("ann", "bo")]
    folder = tmp_path / "evaluate" / "judge_audit"
    write_audit(
        folder / "audit.json",
        audit_judge([Ruling(item.id, "A", "A") for item in ITEMS], ITEMS, votes, plan=PLAN, judge="j1"),
    )
    write_attacks(
        folder / "attacks.json",
        run_attacks(lambda items: [Ruling(item.id, "B", "B") for item in items], ITEMS, judge="j1", plan=PLAN),
    )
    return Run(tmp_path)


def judged_by(report: Report, judge: str) -> Report:
    return replace(report, how=replace(report.how, settings={**report.how.settings, "judge": {"model": judge}}))


def test_an_audit_of_the_reports_own_judge_joins_it(run, report):
    reporting.write_report(run, judged_by(report, "j1"))
    written = read_report(run.folder / "report.json")
    assert written.judge_audit.judge == "j1"
    assert written.judge_audit.items == 12
    assert written.attacks.judge == "j1"
    assert written.humans is None


def test_an_audit_of_another_judge_says_nothing(run, report):
    reporting.write_report(run, judged_by(report, "j2"))
    written = read_report(run.folder / "report.json")
    assert (written.judge_audit, written.attacks) == (None, None)

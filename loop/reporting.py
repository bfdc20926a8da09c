"""The report of a run: what the evaluation wrote, with what people and audits have found since, and its page."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..runs import Run, read_json, read_lines
from .folder import collected_file, run_adapter
from .human_rounds import read_round

if TYPE_CHECKING:
    from ..evaluate import Report

REPORT, PAGE, GATE = "report.json", "report.html", "gate.json"


def write_report(run: Run, report: "Report") -> "Report":
    """Write the report and its page, with what people and the judge's audit say of it."""
    from ..evaluate import write_report_json

    report = _joined(run, report)
    write_report_json(run.folder / REPORT, report)
    write_report_page(run.folder / PAGE, run, report)
    return report


def refresh_report(run: Run) -> None:
    """Write the report anew, after people voted or the judge was audited; nothing where there is none of this adapter.

    Votes are worth having without it, for example after the weights were deleted to save room.
    """
    from ..evaluate import read_report

    if "evaluate" in run.costs and (run.folder / "train" / "adapter").exists():
        write_report(run, read_report(run.folder / REPORT))


def write_report_page(path: Path, run: Run, report: "Report") -> Path:
    """Write the page, with what the run knows beside the report: training curves, agreement, costs, the gate."""
    from ..evaluate.gates import read_gate
    from ..evaluate.page import write_page
    from ..train.watching.alarms import read_alarms

    gate = run.folder / GATE
    return write_page(
        path,
        report,
        metrics=read_lines(run.folder / "train" / "metrics.jsonl"),
        alarms=read_alarms(run.folder / "train" / "alarms.json"),
        stopping=run_adapter(run).stopping,
        agreement=read_json(collected_file(run, "summary.json"))["agreement"],
        costs=run.costs,
        gate=read_gate(gate) if gate.exists() else None,
    )


def _joined(run: Run, report: "Report") -> "Report":
    from ..evaluate.attacks import read_attacks
    from ..evaluate.judge_audit import read_audit

    folder = run.folder / "evaluate" / "judge_audit"
    judge = (report.how.settings.get("judge") or {}).get("model")
    audit = read_audit(folder / "audit.json") if (folder / "audit.json").exists() else None
    attacks = read_attacks(folder / "attacks.json") if (folder / "attacks.json").exists() else None
    return replace(
        report,
        humans=read_round(run, report.tuned.sha256),
        # An audit of some other judge says nothing about this report's.
        judge_audit=audit if audit and audit.judge == judge else None,
        attacks=attacks if attacks and attacks.judge == judge else None,
    )

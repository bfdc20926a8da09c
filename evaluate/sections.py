"""The parts of the report's page that rooms of their own make, in the order in which they are read."""

from collections.abc import Iterator

from .attacks.section import section as attacks
from .contamination.page import section as contamination
from .formats.page import section as formats
from .gates import GateResult
from .gates.page import section as gate
from .humans.section import section as humans
from .judge_audit.section import section as judge_audit
from .judges.section import section as rubric
from .mt_bench.page import section as mt_bench
from .report import Report
from .style.page import section as style
from .tasks.page import section as tasks


def sections(report: Report) -> Iterator[str]:
    """Yield each part that the report has, as HTML."""
    if report.humans:
        yield humans(report.humans, report.win_rate)
    if report.rubric:
        yield rubric(report.rubric)
    if report.style:
        yield style(report.style)
    if report.judge_audit:
        yield judge_audit(report.judge_audit)
    if report.attacks:
        yield attacks(report.attacks)
    if report.mt_bench:
        yield mt_bench(report.mt_bench)
    if report.tasks:
        yield tasks(report.tasks)
    if report.formats:
        yield formats(report.formats)
    if report.contamination:
        yield contamination(report.contamination)


def gate_section(decided: GateResult | None) -> str:
    """Return what the gate decided, nothing where there is none."""
    return gate(decided) if decided else ""

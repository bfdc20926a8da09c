"""The report as one page that needs nothing else: no network, no script."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..pages import style
from ..runs import Cost, write_text
from ..train.watching.alarms import Alarm
from ..train.watching.stopping import Stopping
from .curves import training_curves
from .examples import OUTCOMES, filters, marks
from .fragments import change, share
from .gates import GateResult
from .plots import accuracy_plot, check_plot, comparisons, lengths_plot, margins_plot, slices_plot
from .report import Report
from .sections import gate_section, sections
from .words import percent, points

WORDS = {"better": "Better", "worse": "Worse", "can't tell yet": "Can't tell yet"}
SHOWN = 6
"""Examples that are seen before one asks for more."""
NAMES = {
    "alpha": "Krippendorff's alpha",
    "alpha_interval": "its interval",
    "pairwise": "Two votes on an item agree",
    "pairwise_interval": "its interval",
    "first_shown": "Votes for the answer shown first",
    "items": "Items with two votes or more",
}
"""What the fields of the agreement are called on the page; others keep their name."""


def write_page(
    path: Path,
    report: Report,
    *,
    metrics: Sequence[Mapping[str, Any]] = (),
    alarms: Sequence[Alarm] = (),
    stopping: Stopping | None = None,
    agreement: Mapping[str, Any] | None = None,
    costs: Mapping[str, Cost] | None = None,
    gate: GateResult | None = None,
) -> Path:
    """Write the report as one self-contained HTML page.

    Args:
        path: The page's file.
        report: What it shows.
        metrics: Rows of the training's metrics.jsonl, for the curves.
        alarms: What the training was warned of.
        stopping: How held-out pairs chose its weights, if they did.
        agreement: How far the annotators agreed, field by field.
        costs: What each phase of the run took.
        gate: What the recipe's gate decided about it.
    """
    page = render_page(
        report, metrics=metrics, alarms=alarms, stopping=stopping, agreement=agreement, costs=costs, gate=gate
    )
    return write_text(path, page)


def render_page(
    report: Report,
    *,
    metrics: Sequence[Mapping[str, Any]] = (),
    alarms: Sequence[Alarm] = (),
    stopping: Stopping | None = None,
    agreement: Mapping[str, Any] | None = None,
    costs: Mapping[str, Cost] | None = None,
    gate: GateResult | None = None,
) -> str:
    """Return the page as HTML; see `write_page`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.evaluate", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": percent, "points": points, "share": share, "change": change, "chance": _chance}
    environment.filters["outcome"] = OUTCOMES.__getitem__
    template, by = environment.get_template("page.html"), filters(report.examples)
    return template.render(
        style=style(),
        report=report,
        headline=WORDS[report.verdict],
        plots=_plots(report),
        curves=training_curves(metrics),
        alarms=alarms,
        stopping=stopping,
        held_out=next((row for row in reversed(metrics) if "eval_pairs" in row), None),
        comparisons=comparisons(report),
        agreement=_rows(agreement or {}),
        costs=costs or {},
        gate=gate_section(gate),
        sections=list(sections(report)),
        filters=by,
        shown=SHOWN,
        marks=[marks(example, by) for example in report.examples],
    )


def _plots(report: Report) -> dict[str, str]:
    plots = {
        "accuracy": accuracy_plot(report),
        "margins": margins_plot(report),
        "lengths": lengths_plot(report),
        "slices": slices_plot(report) if report.preference.slices else "",
        "check": check_plot(report) if report.check else "",
    }
    return {name: plot for name, plot in plots.items() if plot}


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _rows(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(NAMES.get(name, name.replace("_", " ").capitalize()), _plain(value)) for name, value in fields.items()]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(_plain(part) for part in value)
    return "not defined" if value is None else str(value)

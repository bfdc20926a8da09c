"""The report's plots as SVG that takes its text colour from the page, so that it reads in light and in dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..pages import INK, svg
from .estimate import Comparison, Estimate
from .report import Report

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
SERIES = {"base": "#8b95a5", "tuned": "#2f7de1"}
"""Both read on white and on near-black."""


def accuracy_plot(report: Report) -> str:
    """Draw the accuracies with their intervals, next to the rules that read nothing and to what a person reaches."""
    found = report.preference
    rows = [
        _row("Base model", "base", found.normalised.base),
        _row("Tuned model", "tuned", found.normalised.tuned),
        _row("Pick the longer", "rule", found.longer),
        _row("Pick the shorter", "rule", found.shorter),
        _row("One annotator", "person", found.ceiling),
    ]
    return svg(_forest(rows, "Share of sealed pairs ordered as the annotators did"))


def slices_plot(report: Report) -> str:
    """Draw base and tuned accuracy for each tag."""
    rows = _both((f"{part.tag} ({part.accuracy.base.n})", part.accuracy) for part in report.preference.slices)
    return svg(_forest(rows, "Share ordered as the annotators did", grouped=True))


def check_plot(report: Report) -> str:
    """Draw base and tuned pass rates for each criterion of the task check; only for reports that have one."""
    assert report.check is not None
    rows = _both((criterion.name, criterion.rate) for criterion in report.check.criteria)
    return svg(_forest(rows, "Share of answers that pass", grouped=True))


def margins_plot(report: Report) -> str:
    """Draw how strongly the tuning moved each pair towards the annotators' choice."""
    import altair as alt

    data = alt.Data(
        values=[{"margin": margin, "side": "right" if margin > 0 else "wrong"} for margin in _margins(report)]
    )
    bars = (
        alt.Chart(data, width=WIDTH, height=150)
        .mark_bar()
        .encode(
            x=alt.X("margin:Q", bin=alt.Bin(maxbins=24), title="Reward margin (nats)", axis=_sparse()),
            y=alt.Y("count():Q", title="Pairs", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("side:N", scale=_scale({"right": SERIES["tuned"], "wrong": SERIES["base"]}), legend=None),
        )
    )
    rule = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=INK).encode(x="zero:Q")
    return svg(bars + rule)


def lengths_plot(report: Report) -> str:
    """Draw the lengths of the answers of both models."""
    import altair as alt

    lengths = {"base": report.lengths.base, "tuned": report.lengths.tuned}
    rows = [{"tokens": tokens, "model": model} for model, column in lengths.items() for tokens in column]
    chart = (
        alt.Chart(alt.Data(values=rows), width=WIDTH, height=150)
        .mark_bar(opacity=0.65)
        .encode(
            x=alt.X("tokens:Q", bin=alt.Bin(maxbins=20), title="Tokens in the answer", axis=_sparse()),
            y=alt.Y("count():Q", title="Answers", stack=None, axis=alt.Axis(tickMinStep=1)),
            color=_colour("model"),
        )
    )
    return svg(chart)


def _row(label: str, series: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "series": series, "value": estimate.value, "low": estimate.low, "high": estimate.high}


def _both(comparisons: Any) -> list[dict[str, Any]]:
    return [
        row
        for label, comparison in comparisons
        for row in (_row(label, "base", comparison.base), _row(label, "tuned", comparison.tuned))
    ]


def _forest(rows: Sequence[dict[str, Any]], title: str, *, grouped: bool = False) -> Any:
    import altair as alt

    y: dict[str, Any] = {"y": alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, grid=False))}
    if grouped:
        y["yOffset"] = alt.YOffset("series:N", sort=["base", "tuned"])
    base = alt.Chart(alt.Data(values=list(rows)), width=WIDTH, height=alt.Step(18 if grouped else 30)).encode(
        color=_colour("series", legend=grouped), **y
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    half = alt.Chart(alt.Data(values=[{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return alt.layer(
        half.encode(x="half:Q"),
        base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q"),
    )


def _colour(field: str, *, legend: bool = True) -> Any:
    import altair as alt

    shown = alt.Legend(title=None, orient="top", values=["base", "tuned"]) if legend else None
    return alt.Color(f"{field}:N", scale=_scale({**SERIES, "rule": INK, "person": "#2e9e6b"}), legend=shown)


def _scale(colours: Mapping[str, str]) -> Any:
    import altair as alt

    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _sparse() -> Any:
    import altair as alt

    return alt.Axis(labelOverlap="greedy", labelSeparation=12)


def _margins(report: Report) -> tuple[float, ...]:
    return report.preference.margins


def comparisons(report: Report) -> list[tuple[str, Comparison]]:
    """Return every comparison of the report with its name, for the table of numbers."""
    found = report.preference
    rows = [("Preference, per token (primary)", found.normalised), ("Preference, summed", found.summed)]
    rows += [("Preference at equal length", found.matched)] if found.matched else []
    rows += [
        (f"Check: {criterion.name}", criterion.rate) for criterion in (report.check.criteria if report.check else ())
    ]
    rows += [(f"General: {report.general.data}", report.general.accuracy)] if report.general else []
    return rows

"""The card's pictures: PNG files, white behind, because the Hub shows those in any theme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluate.estimate import Estimate
from ...evaluate.plots import SERIES
from ...evaluate.report import Report
from .measured import comparisons

INK = "#1f2430"
WIDTH, SCALE = 380, 2
"""Of the plotting area in pixels, and how many of the picture's pixels stand for one."""
RESULTS, TRAINING = "plots/results.png", "plots/training.png"
CURVES = {
    "loss": "Training loss",
    "rewards/accuracies": "Reward accuracy",
    "rewards/margins": "Reward margin",
}
"""TRL's names, and ours."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the card."""

    path: str
    """Within the release."""
    alt: str
    """What it shows, for those who don't see it."""


def pictures(report: Report, metrics: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """Return the pictures that there is something to draw for."""
    shown = ", ".join(row.short for row in comparisons(report) if row.short)
    found = [Picture(RESULTS, f"Intervals of base and tuned model: {shown}")]
    names = [title for metric, title in CURVES.items() if len(_points(metrics, metric)) > 1]
    if names:
        found.append(Picture(TRAINING, f"Over the training's steps: {', '.join(names)}"))
    return found


def write_pictures(folder: Path, report: Report, metrics: Sequence[Mapping[str, Any]]) -> None:
    """Draw them into a release folder."""
    charts = {RESULTS: _results, TRAINING: _training}
    for picture in pictures(report, metrics):
        path = folder / picture.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_png(charts[picture.path](report, metrics)))


def _results(report: Report, _: Sequence[Mapping[str, Any]]) -> Any:
    import altair as alt

    rows = [
        row
        for compared in comparisons(report)
        if compared.short
        for row in (_row(compared.short, "base", compared.of.base), _row(compared.short, "tuned", compared.of.tuned))
    ]
    axis = alt.Axis(format="%", tickCount=5)
    title = "Share, with its interval; dashed: one half"
    chart = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(22)).encode(
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=260, grid=False)),
        yOffset=alt.YOffset("model:N", sort=["base", "tuned"]),
        color=alt.Color(
            "model:N",
            scale=alt.Scale(domain=list(SERIES), range=list(SERIES.values())),
            legend=alt.Legend(title=None, orient="top"),
        ),
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=axis)
    half = alt.Chart(alt.Data(values=[{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return alt.layer(
        half.encode(x="half:Q"),
        chart.mark_rule(strokeWidth=3, strokeCap="round").encode(x=x, x2="high:Q"),
        chart.mark_point(filled=True, size=90, opacity=1).encode(x="value:Q"),
    )


def _training(_: Report, metrics: Sequence[Mapping[str, Any]]) -> Any:
    import altair as alt

    def curve(metric: str, title: str) -> Any:
        x = alt.X("step:Q", title="Step", axis=alt.Axis(tickMinStep=1, tickCount=4))
        y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
        lines = alt.Chart(alt.Data(values=_points(metrics, metric)), width=WIDTH / 2.4, height=130, title=title)
        return lines.mark_line(color=SERIES["tuned"], strokeWidth=2).encode(x=x, y=y)

    return alt.hconcat(*(curve(name, title) for name, title in CURVES.items() if len(_points(metrics, name)) > 1))


def _points(metrics: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, float]]:
    return [{"step": row["step"], "value": row[name]} for row in metrics if name in row]


def _row(label: str, model: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "model": model, "value": estimate.value, "low": estimate.low, "high": estimate.high}


def _png(chart: Any) -> bytes:
    import vl_convert

    styled = chart.configure(background="white", padding=12).configure_view(stroke=None)
    styled = styled.configure_axis(
        labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13, titleFontWeight="normal", gridOpacity=0.4
    ).configure_legend(labelColor=INK, labelFontSize=13)
    return bytes(vl_convert.vegalite_to_png(styled.to_dict(), scale=SCALE))

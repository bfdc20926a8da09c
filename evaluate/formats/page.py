"""The format audit as a part of the report's page."""

from typing import Any

from ...pages import svg
from ..estimate import Estimate
from ..fragments import render_fragment
from .result import Formats
from .words import sentences

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
SERIES = {"base": "#8b95a5", "tuned": "#2f7de1"}
"""Both read on white and on near-black."""


def section(found: Formats) -> str:
    """Return the audit as an HTML fragment."""
    return render_fragment(
        "prefloop.evaluate.formats", found=found, sentences=sentences(found), plot=spread_plot(found)
    )


def spread_plot(found: Formats) -> str:
    """Draw each wording's score with its interval, base and tuned side by side, the base's best wording first."""
    import altair as alt

    ordered = sorted(found.variants, key=lambda one: -one.base.value)
    rows = [_row(one.name, "base", one.base) for one in ordered]
    rows += [_row(one.name, "tuned", one.tuned) for one in ordered if one.tuned is not None]
    legend = alt.Legend(title=None, orient="top") if found.tuned else None
    colours = alt.Scale(domain=list(SERIES), range=list(SERIES.values()))
    names = [one.name for one in ordered]
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(16)).encode(
        y=alt.Y("label:N", title=None, sort=names, axis=alt.Axis(labelLimit=190, grid=False)),
        yOffset=alt.YOffset("series:N", sort=list(SERIES)),
        color=alt.Color("series:N", scale=colours, legend=legend),
    )
    axis = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("low:Q", title="Questions answered right", scale=alt.Scale(zero=False), axis=axis)
    return svg(
        alt.layer(
            drawn.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
            drawn.mark_point(filled=True, size=70, opacity=1).encode(x="value:Q"),
        )
    )


def _row(label: str, series: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "series": series, "value": estimate.value, "low": estimate.low, "high": estimate.high}

"""Benchmark tasks as a part of the report's page."""

from typing import Any

from ...pages import INK, svg
from ..fragments import render_fragment
from ..leaderboard import Score
from .result import TaskResults, TaskRow
from .words import caveats, points, raw, sentences, summarise

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
SERIES = {"base": "#8b95a5", "tuned": "#2f7de1"}
"""Both read on white and on near-black."""


def section(found: TaskResults) -> str:
    """Return the results as an HTML fragment."""
    return render_fragment(
        "prefloop.evaluate.tasks",
        found=found,
        summary=summarise(found),
        sentences=sentences(found),
        caveats=caveats(found),
        scores=scores_plot(found),
        differences=differences_plot(found) if any(row.decision for row in found.rows) else "",
        points=points,
        raw=raw,
    )


def scores_plot(found: TaskResults) -> str:
    """Draw each benchmark's normalised score of base and tuned model, with its interval."""
    import altair as alt

    rows = [part for row in found.rows for part in _scores(row)]
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, grid=False))
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=list(SERIES), range=list(SERIES.values())), legend=_legend(found)
    )
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(18)).encode(
        y=y, yOffset=alt.YOffset("series:N", sort=list(SERIES)), color=colour
    )
    x = alt.X("low:Q", title="Normalised score", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    return svg(
        alt.layer(
            drawn.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
            drawn.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q"),
        )
    )


def differences_plot(found: TaskResults) -> str:
    """Draw the paired difference of each benchmark with its interval, beside nothing and the margin."""
    import altair as alt

    rows = [
        {
            "label": row.name,
            "value": 100 * row.decision.difference.value,
            "low": 100 * row.decision.difference.low,
            "high": 100 * row.decision.difference.high,
        }
        for row in found.rows
        if row.decision is not None
    ]
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, grid=False))
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(30)).encode(y=y)
    x = alt.X("low:Q", title="Tuned minus base, raw points", axis=alt.Axis(tickCount=5))
    lines = [{"at": 0, "what": "none"}]
    lines += [{"at": -100 * found.margin, "what": "margin"}] if found.margin is not None else []
    rule = alt.Chart(alt.Data(values=lines)).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5).encode(x="at:Q")
    return svg(
        alt.layer(
            rule,
            drawn.mark_rule(strokeWidth=2.5, strokeCap="round", color=SERIES["tuned"]).encode(x=x, x2="high:Q"),
            drawn.mark_point(filled=True, size=80, opacity=1, color=SERIES["tuned"]).encode(x="value:Q"),
        )
    )


def _scores(row: TaskRow) -> list[dict[str, Any]]:
    sides = [("base", row.base), *([("tuned", row.tuned)] if row.tuned else [])]
    return [{"label": row.name, "series": name, **_ends(side.score)} for name, side in sides]


def _ends(score: Score) -> dict[str, float]:
    low, high = (score.value if end is None else end for end in (score.low, score.high))
    return {"value": score.value, "low": low, "high": high}


def _legend(found: TaskResults) -> Any:
    import altair as alt

    return alt.Legend(title=None, orient="top") if len(found.models) > 1 else None

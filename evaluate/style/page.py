"""Style or substance as a part of the report's page."""

from collections.abc import Sequence
from typing import Any

from ...pages import INK, svg
from ..estimate import Estimate
from ..fragments import render_fragment
from .result import Point, StyleFindings
from .words import headline, say

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
TUNED, BASE = "#2f7de1", "#8b95a5"
BINS = 5
"""Groups of equally many prompts, by length, in the plot of length against wins."""


def section(found: StyleFindings) -> str:
    """Return the findings as an HTML fragment."""
    return render_fragment(
        "prefloop.evaluate.style",
        found=found,
        headline=headline(found),
        words=say(found),
        rates=rates_plot(found),
        lengths=length_plot(found.points),
    )


def rates_plot(found: StyleFindings) -> str:
    """Draw the win rate as judged, and with style taken away in each of the ways."""
    import altair as alt

    rows = [_row(label, rate) for label, rate in rates(found)]
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, grid=False))
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(30)).encode(y=y)
    x = alt.X("low:Q", title="Won by the tuned model", scale=alt.Scale(domain=[0, 1]), axis=_percent())
    return svg(
        alt.layer(
            _half("x"),
            drawn.mark_rule(strokeWidth=2.5, strokeCap="round", color=TUNED).encode(x=x, x2="high:Q"),
            drawn.mark_point(filled=True, size=80, opacity=1, color=TUNED).encode(x="value:Q"),
        )
    )


def rates(found: StyleFindings) -> list[tuple[str, Estimate]]:
    """Return every win rate there is, with its name."""
    matched = found.matched.win_rate if found.matched else None
    named = [
        ("As judged", found.win_rate),
        ("Style balanced", found.explained.balanced if found.explained else None),
        ("At equal length", found.length_controlled),
        ("At equal style", found.style_controlled),
        ("Where answers look alike", matched),
    ]
    return [(name, rate) for name, rate in named if rate is not None]


def length_plot(shown: Sequence[Point]) -> str:
    """Draw the share won against the difference in length, in groups of equally many prompts, over the prompts."""
    import altair as alt

    rows = [{"length": point.length, "won": point.preference} for point in shown]
    x = alt.X(
        "length:Q", title="Tokens more in the tuned model's answer", axis=alt.Axis(tickCount=6, labelOverlap=True)
    )
    y = alt.Y("won:Q", title="Won by the tuned model", scale=alt.Scale(domain=[-0.05, 1.05]), axis=_percent())
    ticks = alt.Chart(alt.Data(values=rows), width=WIDTH, height=190).mark_point(
        size=26, filled=True, opacity=0.3, color=BASE
    )
    groups = alt.Chart(alt.Data(values=grouped(shown)))
    return svg(
        alt.layer(
            _half("y"),
            ticks.encode(x=x, y=y),
            groups.mark_rule(strokeWidth=2.5, color=TUNED).encode(x="length:Q", y="low:Q", y2="high:Q"),
            groups.mark_line(color=TUNED, opacity=0.5).encode(x="length:Q", y="won:Q"),
            groups.mark_point(filled=True, size=70, opacity=1, color=TUNED).encode(x="length:Q", y="won:Q"),
        )
    )


def grouped(shown: Sequence[Point]) -> list[dict[str, float]]:
    """Return up to five groups of equally many prompts, by length: mean length, share won and Wilson's interval."""
    from ...collect.intervals import share

    ordered = sorted(shown, key=lambda point: (point.length, point.prompt_id))
    count = min(BINS, max(1, len(ordered) // 5))
    found = []
    for at in range(count):
        part = ordered[at * len(ordered) // count : (at + 1) * len(ordered) // count]
        rate = share([point.preference for point in part])
        assert rate is not None
        length = sum(point.length for point in part) / len(part)
        found.append({"length": length, "won": rate.value, "low": rate.low, "high": rate.high})
    return found


def _row(label: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "value": estimate.value, "low": estimate.low, "high": estimate.high}


def _half(channel: str) -> Any:
    import altair as alt

    rule = alt.Chart(alt.Data(values=[{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return rule.encode(x="half:Q") if channel == "x" else rule.encode(y="half:Q")


def _percent() -> Any:
    import altair as alt

    return alt.Axis(format="%", tickCount=5)

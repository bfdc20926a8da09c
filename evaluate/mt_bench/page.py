"""A run of MT-Bench as a piece of the report's page, and as a page of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...pages import INK, svg
from ...runs import write_text
from .result import MtBench
from .words import change_words, headline, rate_words, score_words, words

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
BASE, TUNED = "#8b95a5", "#2f7de1"
"""Both read on white and on near-black."""


def section(found: MtBench) -> str:
    """Return the run as HTML that stands in any page."""
    from ..fragments import render_fragment

    return render_fragment(
        "prefloop.evaluate.mt_bench",
        found=found,
        headline=headline(found),
        words=words(found)[1:],
        plot=categories_plot(found) if found.scores else "",
        lines=[(None, None), (None, 1), (None, 2), *((category, None) for category in _categories(found))],
        score=score_words,
        change=change_words,
        rate=rate_words,
        models=[each.model for each in found.models],
    )


def write_mt_bench_page(path: Path, found: MtBench) -> Path:
    """Write the run as one self-contained HTML page."""
    from ..fragments import render_pieces

    return write_text(path, render_pieces(f"MT-Bench: {found.tuned or found.base}", [section(found)]))


def categories_plot(found: MtBench) -> str:
    """Draw each category's mean rating with its interval, model by model."""
    import altair as alt

    order = ["all", *_categories(found)]
    rows = _rows(found)
    names = [name for name in ("base", "tuned") if any(row["who"] == name for row in rows)]
    x = alt.X("value:Q", title="Mean rating", scale=alt.Scale(domain=[0, 10]), axis=alt.Axis(tickCount=5))
    chart = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(13)).encode(
        y=alt.Y("category:N", title=None, sort=order, axis=alt.Axis(labelLimit=130, grid=False)),
        yOffset=alt.YOffset("who:N", sort=names),
    )
    colour = alt.Color(
        "who:N",
        title=None,
        scale=alt.Scale(domain=names, range=[BASE, TUNED][: len(names)]),
        legend=alt.Legend(orient="top"),
    )
    bars = chart.mark_bar(opacity=0.85).encode(x=x, color=colour)
    intervals = chart.mark_rule(strokeWidth=1.6, color=INK).encode(x="low:Q", x2="high:Q")
    return svg(alt.layer(bars, intervals))


def _rows(found: MtBench) -> Sequence[dict[str, Any]]:
    rows = []
    for row in found.scores:
        if row.turn is None and row.score.value is not None:
            value, low, high = row.score.value, row.score.low, row.score.high
            who = "tuned" if row.model == found.tuned else "base"
            # Without an interval the rule has no length.
            ends = {"low": value if low is None else low, "high": value if high is None else high}
            rows.append({"category": row.category or "all", "who": who, "value": value, **ends})
    return rows


def _categories(found: MtBench) -> list[str]:
    lines = found.scores or found.pairs
    return list(dict.fromkeys(row.category for row in lines if row.category is not None))

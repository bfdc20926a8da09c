"""A try-out as one page that needs nothing else: who is ahead, by how much, at what cost, and all answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...evaluate.examples import Choice, Filter
from ...evaluate.words import percent
from ...pages import INK, style, svg
from ...runs import write_text
from .ranking import Ranking
from .result import Tested, TryOut
from .words import (
    WHAT,
    against_best,
    caveats,
    headline,
    ranks,
    seconds_words,
    share,
    size_words,
    summary,
)

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
BEST, OPEN, WORSE = "#2f7de1", "#c9932b", "#8b95a5"
"""They read on white and on near-black."""
SHOWN = 8
"""Examples that are open at once; the others are behind a click."""


def write_page(path: Path, found: TryOut) -> Path:
    """Write the page: escaped, without script or network."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.publish.try_out", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "against_best": against_best, "percent": percent, "ranks": ranks, "seconds": seconds_words, "share": share,
        "size": size_words,
    }  # fmt: skip
    shown = filters(found)
    text = environment.get_template("page.html").render(
        found=found,
        style=style(),
        headline=headline(found),
        summary=summary(found),
        caveats=caveats(found),
        what=WHAT,
        plots=[(ranking, ranking_plot(ranking)) for ranking in found.rankings],
        cost_plot=cost_plot(found),
        filters=shown,
        marks=[marks(each, shown) for each in found.examples],
        shown=SHOWN,
        tried={one.name: one for one in found.candidates},
    )
    return write_text(path, text)


def filters(found: TryOut) -> tuple[Filter, ...]:
    """Return what the examples can be filtered by, each only where they differ in it."""
    wanted = [
        ("differ", "Answers", ("differ", "all the same")),
        ("right", "Right", ("some models", "all models", "no model")),
        ("prefer", "Good answer likelier", ("for some", "for all", "for none")),
    ]
    held = [_held(each) for each in found.examples]
    return tuple(
        Filter(key, title, tuple(Choice(name, name, sum(each.get(key) == name for each in held)) for name in names))
        for key, title, names in wanted
        if len({each.get(key) for each in held}) > 1
    )


def marks(example: Tested, shown: Sequence[Filter]) -> str:
    """Return the class names by which the page's filters find an example."""
    held = _held(example)
    return " ".join(
        f"{one.key}-{number}"
        for one in shown
        for number, choice in enumerate(one.choices, 1)
        if held.get(one.key) == choice.value
    )


def ranking_plot(ranking: Ranking) -> str:
    """Draw each candidate's share with its interval, best first."""
    import altair as alt

    rows = [
        {"name": row.name, "value": row.share.value, "low": row.share.low, "high": row.share.high,
         "colour": BEST if row.to_best is None else WORSE if row.to_best.verdict == "worse" else OPEN}
        for row in ranking.rows
    ]  # fmt: skip
    x = alt.X("low:Q", title=WHAT[ranking.what].capitalize(), scale=alt.Scale(domain=[0, 1]), axis=_shares())
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(30)).encode(
        y=alt.Y("name:N", title=None, sort=[row.name for row in ranking.rows], axis=_names()),
        color=alt.Color("colour:N", scale=None),
    )
    return svg(
        alt.layer(
            drawn.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
            drawn.mark_point(filled=True, size=90, opacity=1).encode(x="value:Q"),
        )
    )


def cost_plot(found: TryOut) -> str:
    """Draw quality, with its interval, against the time of an answer; nothing where there is no ranking."""
    import altair as alt

    if found.ranking is None:
        return ""
    seconds = {one.name: max(one.seconds, 0.001) for one in found.candidates}
    rows = [
        {"name": row.name, "seconds": seconds[row.name], "value": row.share.value, "low": row.share.low,
         "high": row.share.high}
        for row in found.ranking.rows
    ]  # fmt: skip
    ends = [min(seconds.values()) / 1.5, max(seconds.values()) * 1.5]
    x = alt.X(
        "seconds:Q", title="Seconds an answer", scale=alt.Scale(type="log", domain=ends, nice=False),
        axis=alt.Axis(tickCount=4, format="~g", grid=False),
    )  # fmt: skip
    drawn = alt.Chart(alt.Data(values=rows), width=WIDTH, height=190).encode(x=x)
    y = alt.Y("low:Q", title=WHAT[found.ranking.what].capitalize(), scale=alt.Scale(domain=[0, 1]), axis=_shares())
    names = alt.layer(
        drawn.mark_rule(strokeWidth=2, opacity=0.6, color=BEST).encode(y=y, y2="high:Q"),
        drawn.mark_point(filled=True, size=90, opacity=1, color=BEST).encode(y="value:Q"),
        drawn.mark_text(align="center", dy=-14, fontSize=12, color=INK, limit=140).encode(y="high:Q", text="name:N"),
    )
    return svg(names)


def _held(example: Tested) -> dict[str, str]:
    held = {"differ": "all the same" if len(set(example.answers.values())) == 1 else "differ"}
    if example.right:
        held["right"] = _spread(example.right.values(), "all models", "no model", "some models")
    if example.prefers_good:
        held["prefer"] = _spread(
            [value == 1 for value in example.prefers_good.values()], "for all", "for none", "for some"
        )
    return held


def _spread(values: Any, every: str, none: str, some: str) -> str:
    given = list(values)
    return every if all(given) else some if any(given) else none


def _shares() -> Any:
    import altair as alt

    return alt.Axis(format=".0%", tickCount=5)


def _names() -> Any:
    import altair as alt

    return alt.Axis(labelLimit=150, grid=False)

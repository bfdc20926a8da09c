"""The report's plots as SVG that takes its text colour from the page, so that it reads in light and in dark."""

from collections.abc import Sequence
from typing import Any

from ...pages import INK, svg
from ..intervals import Figure
from .findings import FEW
from .report import Profile, Quality

WIDTH = 300
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
COLOURS = {"plain": "#2f7de1", "named": "#d9822b", "all": INK}
"""All read on white and on near-black; `named` are annotators whom the report names for what the plot shows."""
MOST = 30
"""Annotators in one plot; those with a finding come first."""


def plots(quality: Quality) -> dict[str, str]:
    """Draw what there are enough votes for, by name."""
    profiles = _ordered(quality)
    drawn = {
        "agreement": _forest(
            [_row(p.annotator, p.agreement, _named(quality, p, "disagrees")) for p in profiles],
            "Votes as the others' majority does",
        ),
        "first": _forest(
            [
                _row("All", quality.first, "all"),
                *(_row(p.annotator, p.first, _named(quality, p, "side")) for p in profiles),
            ],
            "Votes for the answer shown first",
            half=True,
        ),
        "longer": _forest(
            [
                _row("Verdicts", quality.longer, "all"),
                *(_row(p.annotator, p.longer, _named(quality, p, "length")) for p in profiles),
            ],
            "Votes for the longer answer",
            half=True,
        ),
        "gold": _forest(
            [_row(p.annotator, p.gold, _named(quality, p, "gold"), least=FEW // 2) for p in profiles],
            "Gold items answered rightly",
        ),
        "strength": _forest(
            [_row(f"Strength {level}", figure, "plain") for level, figure in quality.strength.items()],
            "Votes as the others' majority does",
        ),
        "speed": _speed(quality, profiles) if quality.ledger.by_hand else "",
        "drift": _drift(quality, profiles),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _ordered(quality: Quality) -> list[Profile]:
    named = {found.annotator for found in quality.findings}
    return sorted(quality.profiles, key=lambda p: (p.annotator not in named, p.annotator))[:MOST]


def _named(quality: Quality, profile: Profile, kind: str) -> str:
    found = any(row.annotator == profile.annotator and row.kind == kind for row in quality.findings)
    return "named" if found else "plain"


def _row(label: str, figure: Figure | None, series: str, *, least: int = FEW) -> dict[str, Any] | None:
    if figure is None or figure.n < least:
        return None
    return {"label": label, "series": series, "value": figure.value, "low": figure.low, "high": figure.high}


def _forest(rows: Sequence[dict[str, Any] | None], title: str, *, half: bool = False) -> str:
    """Draw shares with their intervals, one a line; nothing where none has enough votes."""
    import altair as alt

    values = [row for row in rows if row]
    if not values:
        return ""
    base = alt.Chart(alt.Data(values=values), width=WIDTH, height=alt.Step(26)).encode(
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=150, grid=False)), color=_colour()
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    layers = [
        base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q"),
    ]
    coin = alt.Chart(alt.Data(values=[{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return svg(alt.layer(*([coin.encode(x="half:Q")] if half else []), *layers))


def _speed(quality: Quality, profiles: Sequence[Profile]) -> str:
    import altair as alt

    rows = [
        {"label": p.annotator, "low": max(p.speed.p10, 0.1), "value": max(p.speed.median, 0.1)}
        | {"high": max(p.speed.p90, 0.1), "series": _named(quality, p, "haste")}
        for p in profiles
        if p.speed and p.speed.n >= FEW
    ]
    if not rows:
        return ""
    base = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(26)).encode(
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=150, grid=False)), color=_colour()
    )
    axis = alt.Axis(labelOverlap="greedy", format="~g")
    x = alt.X("low:Q", title="Seconds for a vote", scale=alt.Scale(type="log"), axis=axis)
    bars = base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q")
    return svg(bars + base.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q"))


def _drift(quality: Quality, profiles: Sequence[Profile]) -> str:
    """Draw agreement over each annotator's votes; those named for a fall stand out with their intervals."""
    import altair as alt

    rows = [
        {"label": p.annotator, "series": _named(quality, p, "drift"), "vote": (part.first + part.last) / 2}
        | {"value": part.agreement.value, "low": part.agreement.low, "high": part.agreement.high}
        for p in profiles
        for part in p.drift
        if part.agreement
    ]
    if not rows:
        return ""
    base = alt.Chart(alt.Data(values=rows), width=WIDTH, height=170).encode(
        x=alt.X("vote:Q", title="Vote number", axis=alt.Axis(labelOverlap="greedy")),
        color=_colour(),
        detail="label:N",
        opacity=alt.Opacity("series:N", scale=alt.Scale(domain=["plain", "named"], range=[0.35, 1]), legend=None),
    )
    y = alt.Y("value:Q", title="As the others' majority", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    named = base.transform_filter("datum.series == 'named'")
    last = named.transform_window(back="rank()", sort=[alt.SortField("vote", "descending")], groupby=["label"])
    return svg(
        alt.layer(
            base.mark_line(strokeWidth=2).encode(y=y),
            named.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
            last.transform_filter("datum.back == 1")
            .mark_text(align="right", dy=-10, fontSize=12)
            .encode(y="value:Q", text="label:N"),
        )
    )


def _colour() -> Any:
    import altair as alt

    return alt.Color("series:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)

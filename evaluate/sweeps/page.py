"""A sweep as one page that needs nothing else: no network, no script."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...pages import INK, style, svg
from ...runs import write_text
from ..estimate import Estimate
from ..words import MINUS, percent, points
from .result import SettingResult, Sweep
from .words import caveats, headline, outlook, summarise

WIDTH = 330
"""Of the plotting area in pixels: with its labels a plot still fits a telephone."""
TICKS = {"tickCount": 5, "labelOverlap": "greedy", "labelSeparation": 10}
TUNED, RULE = "#2f7de1", "#c77f1a"
"""Both read on white and on near-black."""


def write_sweep_page(path: Path, found: Sweep) -> Path:
    """Write the sweep as one self-contained HTML page."""
    return write_text(path, render_sweep(found))


def render_sweep(found: Sweep) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.evaluate.sweeps", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "share": _share,
        "change": _change,
        "chance": _chance,
        "nats": _nats,
    }
    return environment.get_template("page.html").render(
        style=style(),
        found=found,
        headline=headline(found),
        summary=summarise(found),
        caveats=caveats(found),
        accuracy=accuracy_plot(found),
        differences=differences_plot(found) if len(found.settings) > 1 else "",
        against=[(one, found.test(one.name, found.reference)) for one in found.settings],
        outlook=lambda test: outlook(test, len(found.pair_ids)),
        longest=max(one.seconds for one in found.settings),
    )


def accuracy_plot(found: Sweep) -> str:
    """Draw each setting's accuracy with its interval, every seed as a dot, beside the length rule and a coin."""
    import altair as alt

    rows = [_row(one.label, one.reward) for one in found.settings]
    dots = [{"label": one.label, "value": seed.reward} for one in found.settings for seed in one.seeds]
    ends = [row[key] for row in rows for key in ("low", "high")] + [dot["value"] for dot in dots]
    ends += [0.5, found.by_rule.value]
    domain = [max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)]
    scale, order = alt.Scale(domain=domain, nice=False, zero=False), [one.label for one in found.settings]
    x = alt.X("low:Q", title="Share ordered as the annotators did", scale=scale, axis=alt.Axis(format=".0%", **TICKS))
    rings = _on_rows(dots, order).mark_point(size=34, filled=False, strokeWidth=1.4, color=INK, opacity=0.75)
    chart = alt.layer(
        _line(0.5, INK, [3, 3], scale),
        _line(found.by_rule.value, RULE, [6, 3], scale),
        *_intervals(rows, x, order),
        rings.encode(x=alt.X("value:Q", scale=scale)),
    )
    return svg(chart)


def differences_plot(found: Sweep) -> str:
    """Draw the paired differences to the reference setting."""
    import altair as alt

    tests = [(one, found.test(one.name, found.reference)) for one in found.settings if one.name != found.reference]
    rows = [_row(one.label, test.for_(one.name)) for one, test in tests if test]
    if not rows:
        return ""
    reach = max(abs(row[key]) for row in rows for key in ("low", "high")) * 1.06
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    axis = alt.Axis(labelExpr="format(100 * datum.value, '+.0f')", **TICKS)
    x = alt.X("low:Q", title="Points more or less", scale=scale, axis=axis)
    return svg(alt.layer(_line(0.0, INK, [3, 3], scale), *_intervals(rows, x, [row["label"] for row in rows])))


def _row(label: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "value": estimate.value, "low": estimate.low, "high": estimate.high}


def _intervals(rows: Sequence[dict[str, Any]], x: Any, order: list[str]) -> list[Any]:
    import altair as alt

    base = _on_rows(rows, order)
    return [
        base.mark_rule(strokeWidth=2.5, strokeCap="round", color=TUNED).encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1, color=TUNED).encode(x=alt.X("value:Q", scale=x["scale"])),
    ]


def _on_rows(rows: Sequence[dict[str, Any]], order: list[str] | None = None) -> Any:
    import altair as alt

    y = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(labelLimit=230, grid=False))
    return alt.Chart(alt.Data(values=list(rows)), width=WIDTH, height=alt.Step(34)).encode(y=y)


def _line(at: float, colour: str, dash: list[int], scale: Any) -> Any:
    import altair as alt

    mark = alt.Chart(alt.Data(values=[{"at": at}])).mark_rule(strokeDash=dash, color=colour, opacity=0.8)
    return mark.encode(x=alt.X("at:Q", scale=scale))


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def _change(estimate: Estimate) -> str:
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def _nats(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def setting_row(found: Sweep, one: SettingResult) -> tuple[str, ...]:
    """Return a setting as a row of `COLUMNS`, for a terminal."""
    test = found.test(one.name, found.reference)
    return (
        one.label,
        str(len(one.seeds)),
        _share(one.reward),
        _change(one.over_rule),
        _change(test.for_(one.name)) if test else "",
        _chance(test.adjusted) if test else "",
        f"{one.seconds:.0f}",
    )


COLUMNS = ("setting", "seeds", "accuracy", "over the length rule", "over the reference", "p (Holm)", "seconds")

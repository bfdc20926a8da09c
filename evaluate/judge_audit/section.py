"""An audit as a piece of a page."""

from typing import Any

from ...pages import INK, svg
from ..estimate import Estimate
from ..fragments import render_fragment
from .result import JudgeAudit
from .words import words

WIDTH = 300
COLOURS = {"judge": "#2f7de1", "people": "#2e9e6b", "rule": INK}


def section(audit: JudgeAudit) -> str:
    """Return the audit as HTML."""
    plot = agreement_plot(audit) if audit.agreement else ""
    return render_fragment(__package__, audit=audit, words=words(audit), plot=plot)


def agreement_plot(audit: JudgeAudit) -> str:
    """Draw judge, people and the length rule with their intervals, and the tags; the dashed line is a coin."""
    import altair as alt

    found: list[tuple[str, str, Estimate | None]] = [
        ("The judge", "judge", audit.beside.judge if audit.beside else audit.agreement),
        ("One annotator", "people", audit.beside.people if audit.beside else None),
        ("Pick the longer", "rule", audit.longer),
        *((f"{part.tag} ({part.agreement.n})", "judge", part.agreement) for part in audit.tags),
    ]
    rows = [_row(label, who, estimate) for label, who, estimate in found if estimate is not None]
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, grid=False))
    base = alt.Chart(alt.Data(values=rows), width=WIDTH, height=alt.Step(28)).encode(
        y=y, color=alt.Color("who:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)
    )
    axis = alt.Axis(format="%", tickCount=5)
    x = alt.X("low:Q", title="Agreement with people, ties half", scale=alt.Scale(domain=[0, 1]), axis=axis)
    half = alt.Chart(alt.Data(values=[{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return svg(
        alt.layer(
            half.encode(x="half:Q"),
            base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, x2="high:Q"),
            base.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q"),
        )
    )


def _row(label: str, who: str, estimate: Estimate) -> dict[str, Any]:
    return {"label": label, "who": who, "value": estimate.value, "low": estimate.low, "high": estimate.high}

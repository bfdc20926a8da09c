"""How a training went, as SVG: each step, and the held-out pairs with the band of their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..pages import INK, svg
from .plots import SERIES, WIDTH

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure of the training section."""

    title: str
    says: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Figure:
    title: str
    says: str
    metric: str
    """TRL's name; the held-out twin has eval_ before it."""
    rule: str | None = None
    """A held-out metric that is drawn as a dashed line."""
    percent: bool = False


FIGURES = (
    _Figure("Training loss", "", "loss"),
    _Figure("Reward accuracy", "Share of pairs ordered right", "rewards/accuracies", "eval_longer", percent=True),
    _Figure("Reward margin", "Reward of the chosen minus that of the rejected answer", "rewards/margins"),
    _Figure("Loss on held-out pairs", "The plain DPO loss, whichever is trained with; ln 2 at the start", "dpo_loss"),
    _Figure(
        "Chosen answers",
        "Nats a token gained (above 0) or lost (below 0) since the start",
        "log_ratio_per_token/chosen",
    ),
)


def training_curves(metrics: Sequence[Row]) -> list[Curve]:
    """Draw each figure that has at least two points, training steps in grey and held-out pairs in blue."""
    found = [(figure, *_points(metrics, figure)) for figure in FIGURES]
    return [
        Curve(figure.title, _caption(figure, held_out), svg(_draw(figure, training, held_out)))
        for figure, training, held_out in found
        if len(training) > 1 or len(held_out) > 1
    ]


def _points(metrics: Sequence[Row], figure: _Figure) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    twin = f"eval_{figure.metric}"
    training = [{"step": row["step"], "value": row[figure.metric]} for row in metrics if figure.metric in row]
    held_out = [
        {
            "step": row["step"],
            "value": row[twin],
            "low": row.get(f"{twin}_low", row[twin]),
            "high": row.get(f"{twin}_high", row[twin]),
            "rule": row.get(figure.rule or "", 0.0),
        }
        for row in metrics
        if twin in row
    ]
    return training, held_out


def _caption(figure: _Figure, held_out: Sequence[Any]) -> str:
    dashed = "; dashed: picking the longer answer" if figure.rule and held_out else ""
    return f"{figure.says}{dashed}".removeprefix("; ")


def _draw(figure: _Figure, training: list[dict[str, float]], held_out: list[dict[str, float]]) -> Any:
    import altair as alt

    axis = alt.Axis(format="%", tickCount=5) if figure.percent else alt.Axis(tickCount=5)
    x = alt.X("step:Q", title="Step", axis=alt.Axis(tickMinStep=1, tickCount=6))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=axis)
    layers = []
    if training:
        faint = 0.55 if held_out else 1.0
        steps = alt.Chart(alt.Data(values=training)).mark_line(
            color=SERIES["base"], strokeWidth=1.5, opacity=faint, point=len(training) == 1
        )
        layers.append(steps.encode(x=x, y=y))
    if held_out:
        measured = alt.Chart(alt.Data(values=held_out))
        layers.append(measured.mark_area(color=SERIES["tuned"], opacity=0.18).encode(x=x, y="low:Q", y2="high:Q"))
        layers.append(measured.mark_line(color=SERIES["tuned"], strokeWidth=2, point=True).encode(x=x, y=y))
        if figure.rule:
            dashes = measured.mark_line(strokeDash=[4, 4], color=INK, opacity=0.6)
            layers.append(dashes.encode(x=x, y=alt.Y("rule:Q", title=None)))
    return alt.layer(*layers).properties(width=WIDTH, height=140)

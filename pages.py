"""How prefloop's pages look: one style sheet, and one way to draw a chart, for every report."""

from importlib.resources import files
from typing import Any

INK = "#010203"
"""Stands for the page's own text colour, so that charts follow its light or dark theme."""
PADDING = {"left": 18, "right": 12, "top": 4, "bottom": 4}
"""Pixels around a chart."""


def style() -> str:
    """Return the style sheet that every page begins with."""
    return (files("prefloop") / "page.css").read_text(encoding="utf-8")


def svg(chart: Any) -> str:
    """Render an Altair chart in the house style as SVG that stands in a page by itself."""
    import vl_convert

    font = "system-ui, sans-serif"
    axis = {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK, "gridColor": INK} | {
        "gridOpacity": 0.12, "domainOpacity": 0.4, "tickOpacity": 0.4,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
    }  # fmt: skip
    legend = {"labelColor": INK, "labelFontSize": 12}
    # All at once: each call that configures copies the chart with its data.
    styled = chart.configure(
        background="transparent", font=font, padding=PADDING, view={"stroke": None}, axis=axis, legend=legend
    )
    # vl_convert draws nothing from a chart that is wrong; checking it by the schema first costs half the time.
    return str(vl_convert.vegalite_to_svg(styled.to_dict(validate=False))).replace(INK, "currentColor")

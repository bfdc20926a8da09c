"""Pieces of the report's page, each from a room of its own."""

from collections.abc import Sequence
from typing import Any

from ..pages import style
from .estimate import Estimate
from .words import percent, points


def render_fragment(package: str, **values: Any) -> str:
    """Return `section.html` of a package as HTML that stands in any page: escaped, without script or network."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": percent, "points": points, "share": share, "change": change}
    return environment.get_template("section.html").render(**values)


def render_pieces(title: str, pieces: Sequence[str]) -> str:
    """Return pieces made by `render_fragment` as a page of their own that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("prefloop.evaluate", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("pieces.html").render(title=title, style=style(), pieces=pieces)


def share(estimate: Estimate) -> str:
    """Write a share with its interval in whole per cent."""
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def change(estimate: Estimate) -> str:
    """Write a difference of shares with its interval in points."""
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"

"""The quality report as one page that needs nothing else: no network, no script."""

from pathlib import Path

from ...pages import style
from ...runs import write_text
from ..intervals import Figure
from .findings import FEW
from .plots import MOST, plots
from .report import Dispute, Quality
from .words import HEADLINES, percent

NOTHING = "\N{EN DASH}"
SHOWN = 20
"""Disputed items whose texts are on the page; the rest is in disputes.jsonl."""


def write_page(path: Path, quality: Quality, *, title: str) -> Path:
    """Write the report as one self-contained HTML page.

    Args:
        path: The page's file.
        quality: What it shows.
        title: Whose votes these are, for example the queue's name.
    """
    return write_text(path, render_page(quality, title=title))


def render_page(quality: Quality, *, title: str) -> str:
    """Return the page as HTML; see `write_page`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.collect.quality", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "share": _share,
        "number": _number,
        "plain": _plain,
        "split": _split,
        "money": lambda value: _money(value, quality.currency),
        "hours": _hours,
    }
    drawn = plots(quality)
    return environment.get_template("page.html").render(
        style=style(),
        quality=quality,
        title=title,
        headline=HEADLINES[quality.verdict],
        plots=drawn,
        not_drawn=max(0, len(quality.profiles) - MOST),
        few=[row.annotator for row in quality.profiles if row.votes < FEW],
        FEW=FEW,
        shown=quality.disputes[:SHOWN],
    )


def _share(figure: Figure | None, least: int = FEW) -> str:
    """Write a share with its interval, or say that there are too few votes for one."""
    if figure is None:
        return NOTHING
    if figure.n < least:
        return f"too few votes to say ({figure.n})"
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"


def _plain(figure: Figure | None) -> str:
    return NOTHING if figure is None or figure.n < FEW else percent(figure.value)


def _number(figure: Figure | None, least: int = FEW) -> str:
    if figure is None:
        return "not defined"
    if figure.n < least:
        return f"too few items to say ({figure.n})"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _split(dispute: Dispute) -> str:
    names = {"both_bad": "both bad"}
    return ", ".join(
        f"{count} \N{MULTIPLICATION SIGN} {names.get(choice, choice)}" for choice, count in dispute.choices.items()
    )


def _money(value: float | None, currency: str) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.2f} {currency}" if value < 100 else f"{value:,.0f} {currency}"


def _hours(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.1f} h" if value >= 1 else f"{60 * value:.0f} min"

"""The leaderboard as one page that needs nothing else: no network, and no script but its own."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...pages import style
from ...runs import write_json, write_text
from .entry import Entry, Reading, Standing
from .votes import Request, waiting

SIZES = ((10**9, "under 1B"), (3 * 10**9, "1B to 3B"), (8 * 10**9, "3B to 8B"), (float("inf"), "8B and more"))
UNKNOWN = "unknown"
WIDTH, HEIGHT, EDGE = 84, 12, 4
"""Pixels of an interval's plot, and its margin."""


def write_standings(path: Path, standing: Standing, requests: Sequence[Request] = ()) -> tuple[Path, Path]:
    """Write the page, and everything on it as JSON beside it; return both files."""
    page = write_text(path, render_standings(standing, requests))
    rows = {"columns": standing.columns, "entries": [asdict(entry) for entry in standing.entries]}
    return page, write_json(path.with_suffix(".json"), rows | {"requests": [asdict(one) for one in requests]})


def render_standings(standing: Standing, requests: Sequence[Request] = ()) -> str:
    """Return the page as HTML. Script and style are allowed by their hashes, nothing else is."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.evaluate.standings", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"size": size_words}
    script, sheet = _own("page.js"), style() + _own("page.css")
    return environment.get_template("page.html").render(
        script=script,
        style=sheet,
        policy=policy(script, sheet),
        columns=standing.columns,
        rows=[_row(entry, standing.columns) for entry in standing.entries],
        choices=_choices(standing.entries),
        requests=waiting(requests, {entry.name for entry in standing.entries}),
    )


def policy(script: str, sheet: str) -> str:
    """Return the content security policy that lets this script and this style sheet run, and nothing else."""
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, sheet)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def size_words(size: int | None) -> str:
    """Write a number of parameters: 135M, 1.7B."""
    if size is None:
        return ""
    return f"{size / 1e9:.3g}B" if size >= 10**9 else f"{size / 1e6:.3g}M"


def size_group(size: int | None) -> str:
    """Return the group of sizes that the filter offers."""
    return UNKNOWN if size is None else next(name for most, name in SIZES if size < most)


def interval(score: Reading) -> dict[str, float]:
    """Return where an interval's plot has its line and its dot, in pixels; scores beyond 0 to 100 stand at the edge."""

    def place(value: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * min(max(value, 0.0), 100.0) / 100, 1)

    low, high = (score.value if end is None else end for end in (score.low, score.high))
    return {"low": place(low), "high": place(high), "value": place(score.value)}


def _row(entry: Entry, columns: Sequence[str]) -> dict[str, Any]:
    scores = {score.column: score for score in entry.scores}
    cells = [{"column": column, "score": scores.get(column)} for column in columns]
    return {
        "entry": entry,
        "source": Path(entry.source).name,
        "sizes": size_group(entry.size),
        "cells": [cell | {"plot": interval(cell["score"]) if cell["score"] else None} for cell in cells],  # type: ignore[arg-type]
    }


def _choices(entries: Sequence[Entry]) -> list[tuple[str, str, list[str]]]:
    """Return the filters: their key, name and values."""
    sizes = [name for _, name in SIZES] + [UNKNOWN]
    found = {size_group(entry.size) for entry in entries}
    return [
        ("role", "Kind", sorted({entry.role for entry in entries})),
        ("task", "Task", sorted({entry.task or UNKNOWN for entry in entries})),
        ("base", "Base", sorted({entry.base or UNKNOWN for entry in entries})),
        ("licence", "Licence", sorted({entry.licence or UNKNOWN for entry in entries})),
        ("size", "Size", [name for name in sizes if name in found]),
    ]


def _own(name: str) -> str:
    return (files("prefloop.evaluate.standings") / name).read_text(encoding="utf-8")

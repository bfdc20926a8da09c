"""A catalogue's folder: whole or not at all, and the same bytes for the same releases.

index.html          search and filters over all models
models/NAME.html    a page each
catalogue.json      the same as data; it marks the folder as a catalogue
README.md           what makes the folder a static Space; .nojekyll keeps GitHub Pages from rewriting it
"""

import shutil
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...runs import put_in_place, write_json, write_text
from ..finding.entry import plain
from .gather import Gathered, Item
from .page import page_names, render_index, render_model

MARK = "catalogue.json"
FORMAT = 1


def write_catalogue(folder: Path, gathered: Gathered, title: str) -> Path:
    """Write the site and return its index. An earlier catalogue in that place is replaced, anything else is not.

    Raises:
        UserError: there is nothing to show, the title is empty, or the folder holds something else.
    """
    title = str(plain(title))
    if not title:
        raise UserError("--title is empty; name the catalogue")
    if not gathered.items:
        raise UserError("there is no release to show in a catalogue")
    _refuse_strangers(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    names = page_names(gathered.items)
    for name, item in zip(names, gathered.items, strict=True):
        write_text(partial / "models" / name, render_model(item, title))
    write_text(partial / "index.html", render_index(gathered, title))
    write_text(partial / "README.md", _space(title))
    write_text(partial / ".nojekyll", "")
    rows = [_row(name, item) for name, item in zip(names, gathered.items, strict=True)]
    write_json(partial / MARK, {"format": FORMAT, "title": title, "models": rows})
    put_in_place(partial, folder)
    return folder / "index.html"


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise UserError(
            f"{folder} is not a catalogue of prefloop's and will not be replaced; move it, or choose another --out"
        )


def _row(name: str, item: Item) -> dict[str, Any]:
    """Return a model as data, without this machine's folders."""
    row = item.entry.row() | {"page": f"models/{name}"}
    return row if item.entry.hub else row | {"where": None}


def _space(title: str) -> str:
    """Return the README that makes a Space of the folder."""
    from huggingface_hub import SpaceCardData

    head = SpaceCardData(title=title, sdk="static", app_file="index.html", pinned=False, tags=["prefloop"])
    return f"---\n{head.to_yaml()}\n---\n\nA catalogue of models, written by `prefloop catalogue build`.\n"

"""The catalogue's pages. They need nothing else: no network, and no script but the index's own."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from ...evaluate.standings.page import SIZES, UNKNOWN, size_group, size_words
from ...pages import style
from ..card.metadata import TAGS
from ..finding import Entry, Score
from ..finding.words import overlap_words
from .gather import Gathered, Item
from .markdown import anchor, card_html

ORDER = ("better", "can't tell yet", "worse")
WIDTH, EDGE = 120, 4
"""Pixels of an interval's plot, and its margin."""
LOADING = ("How to run it", "How to load it")
"""The card's heading over its code, and an older card's."""


def page_names(items: Sequence[Item]) -> list[str]:
    """Return a file name for each model's page, from its name; of the same name the later ones are numbered."""
    names: list[str] = []
    for item in items:
        stem = re.sub(r"[^a-z0-9.]+", "-", item.entry.name.lower()).strip("-.")[:80] or "model"
        number = 1
        while (name := f"{stem}{f'-{number}' if number > 1 else ''}.html") in names:
            number += 1
        names.append(name)
    return names


def render_index(gathered: Gathered, title: str) -> str:
    """Return the index: better models first, then by name."""
    named = zip(page_names(gathered.items), gathered.items, strict=True)
    rows = [_row(name, item.entry) for name, item in named]
    rows.sort(key=lambda row: (ORDER.index(row["entry"].block.verdict), row["entry"].name.casefold()))
    script, sheet = _own("page.js"), style() + _own("page.css")
    return _render(
        "index.html",
        title=title,
        rows=rows,
        script=script,
        style=sheet,
        policy=f"{_policy(sheet)}; script-src {_hash(script)}",
        choices=_choices([item.entry for item in gathered.items]),
        unread=len(gathered.unread),
        private=len(gathered.private),
    )


def render_model(item: Item, title: str) -> str:
    """Return a model's page: what was measured, where it came from, and its card."""
    entry, sheet = item.entry, style() + _own("page.css")
    text = (item.folder / "README.md").read_text(encoding="utf-8")
    card = card_html(text, item.folder, f"{entry.where}/blob/{entry.revision}" if entry.hub else "")
    return _render(
        "model.html",
        title=title,
        entry=entry,
        style=sheet,
        policy=f"{_policy(sheet)}; img-src data:",
        card=card,
        loading=next((anchor(words) for words in LOADING if f'id="{anchor(words)}"' in card), ""),
        scores=[(score, _plot(score)) for score in entry.block.results or (entry.block.headline,)],
        confidence=f"{entry.block.confidence:.0%}",
    )


def _render(name: str, **facts: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prefloop.publish.catalogue", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"size": size_words, "overlap": overlap_words}
    return environment.get_template(name).render(facts)


def _policy(sheet: str) -> str:
    return f"default-src 'none'; style-src {_hash(sheet)}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _row(name: str, entry: Entry) -> dict[str, Any]:
    return {"page": f"models/{name}", "entry": entry, "filters": _filters(entry), "plot": _plot(entry.block.headline)}


def _filters(entry: Entry) -> Mapping[str, str]:
    """Return a model's values by the filter's key, several on lines of their own."""
    return {
        "tag": "\n".join(_tags(entry)),
        "base": entry.base or UNKNOWN,
        "size": size_group(entry.block.parameters),
        "licence": entry.licence or UNKNOWN,
        "language": "\n".join(entry.languages) or UNKNOWN,
        "verdict": entry.block.verdict,
    }


def _choices(entries: Sequence[Entry]) -> list[tuple[str, str, list[str]]]:
    """Return the filters that can tell these models apart: their key, name and values."""
    found = [_filters(entry) for entry in entries]
    order = {"size": [name for _, name in SIZES] + [UNKNOWN], "verdict": list(ORDER)}
    names = {"tag": "Task", "size": "Size", "base": "Base", "licence": "Licence", "language": "Language"}
    choices = []
    for key, name in (names | {"verdict": "Verdict"}).items():
        values = {value for one in found for value in one[key].split("\n") if value}
        choices.append((key, name, [value for value in order.get(key, sorted(values)) if value in values]))
    return choices


def _tags(entry: Entry) -> list[str]:
    """Return the tags that tell of the task: not the tools'."""
    return [tag for tag in entry.tags if tag not in TAGS]


def _plot(score: Score) -> dict[str, float]:
    """Return where an interval's line and dot stand on an axis from 0 to 1, in pixels."""

    def place(value: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * min(max(value, 0.0), 1.0), 1)

    return {"low": place(score.low), "high": place(score.high), "value": place(score.value)}


def _own(name: str) -> str:
    return (files("prefloop.publish.catalogue") / name).read_text(encoding="utf-8")

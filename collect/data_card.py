"""A data set folder's card: `data_card.md` filled in, under a metadata block that fixes the columns' types."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from .sources import Source

TEXTS = {"role": "string", "content": "string"}
ORIGIN = {"kind": "string", "name": "string", "revision": "string", "row": "string", "sampling": "string"}
COLUMNS: dict[str, dict[str, Any]] = {
    "pairs": {
        "id": "string", "prompt": [TEXTS], "chosen": [TEXTS], "rejected": [TEXTS], "weight": "float64",
        "kind": "string", "tags": ["string"], "item_id": "string", "prompt_id": "string", "vote_ids": ["string"],
        "origin_chosen": ORIGIN, "origin_rejected": ORIGIN,
    },
    "votes": {
        "id": "string", "item_id": "string", "annotator": "string", "choice": "string", "left": "string",
        "status": "string", "strength": "int64", "ranking": ["int64"], "order": "string", "criteria": "string",
        "ratings": "string", "critique": "string", "edit": "string", "seconds": "float64",
        "suggestion_seen": "bool", "protocol": "string", "inserted_at": "string", "updated_at": "string",
    },
    "items": {
        "id": "string", "prompt_id": "string", "prompt": [TEXTS],
        "candidates": [{"response": "string", "origin": ORIGIN}], "tags": ["string"],
    },
}  # fmt: skip
"""The columns of each part and their types; mappings whose keys differ from row to row are JSON text."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What the folder says, and which parts it has."""

    name: str
    task: str
    license: str
    languages: tuple[str, ...] = ()
    guidelines: str = ""
    """What annotators read; "" where nobody wrote it down."""
    votes: bool = True
    items: bool = False
    repo: str = ""
    """Its Hub name; "" for a folder that is loaded from where it lies."""
    consent: str = ""
    """Why the annotators' votes may be published; "" where nobody said."""
    personal: str = ""
    """What came of looking for personal data; "" where nobody said."""


def render_card(
    version: str,
    lineage: Mapping[str, Any],
    settings: ExportSettings,
    *,
    summary: Mapping[str, Any],
    source: Source | None,
    annotators: Mapping[str, int],
    kinds: Mapping[str, int],
) -> str:
    """Return the card's text.

    Args:
        version: The data set's version.
        lineage: What `lineage.json` holds.
        settings: Name, task, licence, guidelines.
        summary: The counts that a pull wrote.
        source: Where the data were imported from, if they were.
        annotators: Votes by pseudonym.
        kinds: Pairs by kind.
    """
    import jinja2
    import yaml

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    template = environment.from_string((files("prefloop.collect") / "data_card.md").read_text(encoding="utf-8"))
    head = yaml.safe_dump(_head(lineage["rows"], settings), sort_keys=False, allow_unicode=True)
    return template.render(
        head=head.strip(),
        version=version,
        lineage=lineage,
        settings=settings,
        summary=summary,
        source=source,
        annotators=sorted(annotators.items()),
        agreement=summary.get("agreement") or {},
        outcomes=summary.get("outcomes") or {},
        policy={name: _plain(value) for name, value in (summary.get("policy") or {}).items()},
        adjudicated=len(summary.get("adjudicated") or ()),
        kinds=sorted(kinds.items()),
    )


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _head(rows: Mapping[str, int], settings: ExportSettings) -> dict[str, Any]:
    """Return the card's metadata block: the licence, and each part's file and column types."""
    configs = [
        {
            "config_name": name,
            **({"default": True} if name == "pairs" else {}),
            "data_files": [{"split": "train", "path": f"{name}.jsonl"}],
        }
        for name in rows
    ]
    infos = [{"config_name": name, "features": _features(COLUMNS[name])} for name in rows]
    size = next((word for limit, word in SIZES if rows["pairs"] < limit), "n>1M")
    return {
        "license": settings.license,
        **({"language": list(settings.languages)} if settings.languages else {}),
        "pretty_name": settings.name,
        "size_categories": [size],
        "tags": ["preference", "dpo", "prefloop", "argilla"],
        "configs": configs,
        "dataset_info": infos,
    }


def _features(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return column types in the words of the Hub's metadata block."""
    return [{"name": name, **_feature(kind)} for name, kind in columns.items()]


def _feature(kind: Any) -> dict[str, Any]:
    if isinstance(kind, list):
        inner = kind[0]
        return {"list": inner if isinstance(inner, str) else _features(inner)}
    return {"struct": _features(kind)} if isinstance(kind, Mapping) else {"dtype": kind}

"""A data set folder of the pairs that may be trained on: `datasets.load_dataset(folder)` reads it, and the same votes
always give the same bytes.

JSON lines, since Parquet's bytes change with the version of the library that writes them; the column types stand in the
card's metadata block, so that they don't depend on the rows.
"""  # noqa: D205

import hashlib
import hmac
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from .. import __version__
from ..errors import UserError
from ..runs import read_json, write_json, write_text
from .data_card import COLUMNS, ORIGIN, ExportSettings, render_card
from .item import Item, Message, Origin
from .pair import PreferencePair
from .rankings import pairwise
from .sealing.sealed import Sealed, refuse_sealed
from .sources import Source
from .vote import Vote

SOURCE_FIELDS = ("kind", "name", "revision", "licence", "protocol", "files")


@dataclass(frozen=True, slots=True)
class Collection:
    """All that a run has collected."""

    items: Sequence[Item]
    votes: Sequence[Vote]
    pairs: Sequence[PreferencePair]
    sealed: Sealed
    summary: Mapping[str, Any]
    """The counts that a pull wrote."""
    source: Source | None
    """Where the data were imported from, if they were."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written data set folder."""

    folder: Path
    version: str
    """The content hash (16 hex digits) of data, card and licence."""
    rows: dict[str, int]
    left_out: dict[str, int]
    already_there: bool
    """Whether the folder held this very version before."""


def write_export(folder: Path, collection: Collection, settings: ExportSettings, key: bytes) -> Exported:
    """Write the data set folder, all or nothing.

    Args:
        folder: A new folder, or one that holds the same version already.
        collection: What a run has collected. Rows with sealed prompts stay out, in every part.
        settings: Card and parts.
        key: Turns annotators' names into pseudonyms that only its holder can trace back.

    Raises:
        UserError: the folder holds something else.
        Problems: pairs that must not be trained on.
    """
    refuse_sealed(collection.pairs, collection.sealed)
    collection, kept_back = _without_sealed(collection)
    parts = _parts(collection, settings, key)
    left_out = {what: count for what, count in (kept_back | _outcomes(collection.summary)).items() if count}
    texts = {f"{name}.jsonl": "".join(_line(row) for row in rows) for name, rows in parts.items()}
    rows = {name: len(found) for name, found in parts.items()}
    lineage = _lineage(texts, rows, left_out, collection, settings)
    unversioned = _line(lineage) + _card("", lineage, collection, settings, key)
    version = hashlib.sha256(unversioned.encode()).hexdigest()[:16]
    there = _version_there(folder)
    if there is not None and there != version:
        raise UserError(f"{folder} holds version {there}, this would be {version}; name another folder with --to")
    if there is None:
        _write(folder, texts, lineage | {"version": version}, _card(version, lineage, collection, settings, key))
    return Exported(folder, version, rows, left_out, there is not None)


def pseudonym(name: str, key: bytes) -> str:
    """Return what an annotator is called outside: without the key nobody can tell who it is, or try names out."""
    return "annotator-" + hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]


def public_name(name: str) -> str:
    """Return an origin's name, a folder of this machine cut down to its last part."""
    return PurePath(name).name if name.startswith(("/", "~")) else name


def _without_sealed(collection: Collection) -> tuple[Collection, dict[str, int]]:
    """Return what of the items and votes may leave, and how much stays here."""
    items = [item for item in collection.items if collection.sealed.side(item) == "training"]
    ids = {item.id for item in items}
    votes = [vote for vote in collection.votes if vote.item_id in ids]
    return replace(collection, items=items, votes=votes), {
        "items with prompts that are sealed or near a sealed one": len(collection.items) - len(items),
        "votes on them": len(collection.votes) - len(votes),
    }


def _outcomes(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return what gave no pair for training, by the pull's own counts."""
    return {
        "sealed pairs": int(summary.get("sealed_pairs", 0)),
        **{f"items with the outcome {reason}": len(ids) for reason, ids in summary.get("left_out", {}).items()},
        "edits that became no pair": len(summary.get("edits_left_out", ())),
        "pairs near both sides of the seal, in evaluation data, or edits of sealed answers": len(
            summary.get("pairs_not_used", ())
        ),
    }


def _parts(collection: Collection, settings: ExportSettings, key: bytes) -> dict[str, list[dict[str, Any]]]:
    compared, said = pairwise(collection.items, collection.votes)
    items, authors = {item.id: item for item in compared}, {vote.id: pseudonym(vote.annotator, key) for vote in said}
    pairs = [_pair_row(pair, items[pair.item_id], authors) for pair in collection.pairs]
    parts = {"pairs": sorted(pairs, key=lambda row: (row["item_id"], row["kind"], row["id"], row["vote_ids"]))}
    if settings.votes:
        rows = [_vote_row(vote, key) for vote in collection.votes]
        parts["votes"] = sorted(rows, key=lambda row: (row["item_id"], row["annotator"], row["id"]))
    if settings.items:
        parts["items"] = sorted((_item_row(item) for item in collection.items), key=lambda row: str(row["id"]))
    return parts


def _pair_row(pair: PreferencePair, item: Item, authors: Mapping[str, str]) -> dict[str, Any]:
    origins = {item.response_a: item.origin_a, item.response_b: item.origin_b}
    chosen = origins.get(pair.chosen)
    if pair.kind != "vote":
        chosen = Origin("person", authors[pair.vote_ids[0]])  # the edit's author
    return {
        "id": pair.id,
        "prompt": _messages(pair.prompt),
        "chosen": _messages([Message("assistant", pair.chosen)]),
        "rejected": _messages([Message("assistant", pair.rejected)]),
        "weight": pair.weight,
        "kind": pair.kind,
        "tags": list(pair.tags),
        "item_id": pair.item_id,
        "prompt_id": pair.prompt_id,
        "vote_ids": list(pair.vote_ids),
        "origin_chosen": _origin_row(chosen),
        "origin_rejected": _origin_row(origins.get(pair.rejected)),
    }


def _vote_row(vote: Vote, key: bytes) -> dict[str, Any]:
    row = asdict(vote)
    return {column: row[column] for column in COLUMNS["votes"]} | {
        "annotator": pseudonym(vote.annotator, key),
        "ranking": list(vote.ranking or ()),
        "criteria": _json(vote.criteria),
        "ratings": _json(vote.ratings),
    }


def _item_row(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "prompt_id": item.prompt_id,
        "prompt": _messages(item.prompt),
        "candidates": [
            {"response": candidate.response, "origin": _origin_row(candidate.origin)} for candidate in item.candidates
        ],
        "tags": list(item.tags),
    }


def _origin_row(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return dict.fromkeys(ORIGIN)
    return {
        "kind": origin.kind,
        "name": public_name(origin.name),
        "revision": origin.revision,
        "row": origin.row,
        "sampling": _json(origin.sampling),
    }


def _messages(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _lineage(
    texts: Mapping[str, str],
    rows: Mapping[str, int],
    left_out: Mapping[str, int],
    collection: Collection,
    settings: ExportSettings,
) -> dict[str, Any]:
    source = collection.source
    origins = Counter(public_name(candidate.origin.name) for item in collection.items for candidate in item.candidates)
    return {
        "prefloop": __version__,
        "name": settings.name,
        "license": settings.license,
        "consent": settings.consent,
        "rows": dict(rows),
        "left_out": dict(left_out),
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()},
        "protocol": collection.summary.get("protocol", ""),
        "guidelines_sha256": hashlib.sha256(settings.guidelines.encode()).hexdigest() if settings.guidelines else None,
        "origins": dict(sorted(origins.items())),
        "source": source and {field: asdict(source)[field] for field in SOURCE_FIELDS},
    }


def _card(
    version: str, lineage: Mapping[str, Any], collection: Collection, settings: ExportSettings, key: bytes
) -> str:
    return render_card(
        version,
        lineage,
        settings,
        summary=collection.summary,
        source=collection.source,
        annotators=Counter(pseudonym(vote.annotator, key) for vote in collection.votes),
        kinds=Counter(pair.kind for pair in collection.pairs),
    )


def _version_there(folder: Path) -> str | None:
    """Return the version that the folder holds, None where it is new or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if not (folder / "lineage.json").exists():
        raise UserError(f"{folder} holds something else; name another folder with --to, an export overwrites nothing")
    return str(read_json(folder / "lineage.json").get("version"))


def _write(folder: Path, texts: Mapping[str, str], lineage: Mapping[str, Any], card: str) -> None:
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, text in texts.items():
        write_text(partial / name, text)
    write_json(partial / "lineage.json", lineage)
    write_text(partial / "README.md", card)
    if folder.exists():
        folder.rmdir()  # an empty one
    partial.replace(folder)


def _line(row: object) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

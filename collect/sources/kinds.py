"""The sources that have an importer, and where an import is written."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import UserError
from ...runs import Progress, read_json, write_json
from ..files import write_rows
from . import arena, hh_rlhf, label_studio, llmbar, pandalm, table, ultrafeedback
from .imported import About, Imported, Options, Source


@dataclass(frozen=True, slots=True)
class Kind:
    """A form of source, read from files."""

    about: About
    read: "Callable[..., Imported]"
    """From a place and `Options`, with `progress`."""
    what: str
    """In a few words, for the command line."""


KINDS: dict[str, Kind] = {
    kind.about.kind: kind
    for kind in (
        Kind(table.ABOUT, table.import_table, "your own JSONL, JSON, CSV or Parquet, or any data set, with --map"),
        Kind(ultrafeedback.ABOUT, ultrafeedback.import_ultrafeedback, "openbmb/UltraFeedback, by the aspects' means"),
        Kind(ultrafeedback.BINARISED, ultrafeedback.import_binarised, "HuggingFaceH4/ultrafeedback_binarized"),
        Kind(hh_rlhf.ABOUT, hh_rlhf.import_hh_rlhf, "Anthropic/hh-rlhf transcripts"),
        Kind(pandalm.ABOUT, pandalm.import_pandalm, "PandaLM's test set, three votes each"),
        Kind(arena.ARENA, arena.import_arena, "lmsys/chatbot_arena_conversations"),
        Kind(arena.MT_BENCH, arena.import_mt_bench, "lmsys/mt_bench_human_judgments, --split human"),
        Kind(llmbar.ABOUT, llmbar.import_llmbar, "LLMBar's instances"),
        Kind(label_studio.ABOUT, label_studio.import_label_studio, "a Label Studio JSON export, with --map"),
    )
}


def import_source(kind: str, place: str, options: Options, *, progress: Progress) -> Imported:
    """Import a source by the name of its kind.

    Raises:
        UserError: there is no such kind, or its file can't be read.
    """
    if kind not in KINDS:
        raise UserError(f"there is no source of the kind {kind!r}; there are {', '.join(KINDS)} and argilla")
    return KINDS[kind].read(place, options, progress=progress)


def write_import(folder: Path, imported: Imported) -> Path:
    """Write items.jsonl, votes.jsonl and source.json into a new folder, all or nothing.

    Raises:
        UserError: the folder exists, or the import holds no item or does not say its licence.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; name another folder with --out, an import overwrites nothing")
    if not imported.items:
        raise UserError(f"no row could be taken, so nothing was written: {_reasons(imported)}")
    if imported.source.licence is None:
        raise UserError("say under which licence the data may be used: --license cc-by-4.0, or --license other")
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_rows(partial / "items.jsonl", imported.items)
    write_rows(partial / "votes.jsonl", imported.votes)
    write_json(partial / "source.json", counted(imported))
    partial.replace(folder)
    return folder


def counted(imported: Imported) -> dict[str, object]:
    """Return source and counts, with the ids of all rows refused or noted."""
    return {
        **asdict(imported.source),
        "taken": imported.taken,
        "items": len(imported.items),
        "votes": len(imported.votes),
        "annotators": len({vote.annotator for vote in imported.votes}),
        "refused": {reason: list(ids) for reason, ids in imported.refused.items()},
        "notes": {note: list(ids) for note, ids in imported.notes.items()},
    }


def read_source(folder: Path) -> Source | None:
    """Read the source of an import from its folder; None where there is none."""
    path = folder / "source.json"
    if not path.exists():
        return None
    row = read_json(path)
    return Source(**{name: row[name] for name in Source.__slots__})


def _reasons(imported: Imported) -> str:
    rows = sorted(imported.refused.items(), key=lambda entry: -len(entry[1]))
    return "; ".join(f"{len(ids)} times {reason}" for reason, ids in rows[:5]) or "the source has no rows"

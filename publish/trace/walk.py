"""The walk itself: from a release to everything it was made of, and on into the releases that were made before it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import fingerprint
from ...runs import read_json
from ...train.adapter import adapter_sha256, is_whole
from ..lineage import Ancestor
from ..release import Release, read_mark
from ..source import Located, locate_release
from .data import data_step
from .model import base_step, files_step, recipe_step, weights_step
from .pair import PairWalk, walk_pairs
from .step import Check, Mark, Step, agree, count_marks, unchecked, verified, wrong
from .texts import NoDataSet, Texts, read_data_set, read_run_texts
from .told import Manifest, Told, read_told
from .votes import add_up, pairs_step, votes_step


@dataclass(frozen=True, slots=True)
class Trace:
    """A walked release."""

    name: str
    revision: str | None
    folder: Path
    root: Step
    pairs: tuple[PairWalk, ...]
    """Every pair, to its votes."""
    texts: Texts | None
    """What lies behind them, where it is here."""

    @property
    def marks(self) -> dict[Mark, int]:
        """How many checks ended how."""
        return count_marks(self.root)


@dataclass(slots=True)
class _Walk:
    """What one trace knows on the way."""

    been: set[str] = field(default_factory=set)
    """Fingerprints of the trained models that were walked already."""


def trace_release(text: str, *, data: Path | None = None) -> Trace:
    """Walk from a release back to the people whose votes it was trained on, and compute every hash again.

    Nothing is raised for what is wrong: it is a mark in the tree.

    Args:
        text: A run's folder, a release's folder, or `org/name` on the Hub, with `@revision` if not the newest.
        data: The folder of the data set, where it was not published or is to be read from here.

    Raises:
        UserError: there is no release by this name.
    """
    found = locate_release(text)
    step, told, texts = _release(found, read_mark(found.folder), _Walk(), data)
    pairs = walk_pairs(told.manifest) if told.manifest else ()
    return Trace(found.name, found.revision, found.folder, step, pairs, texts)


def _release(found: Located, release: Release, walk: _Walk, data: Path | None) -> tuple[Step, Told, Texts | None]:
    walk.been.add(release.trained_sha256)
    told = read_told(release)
    texts, problem = _texts(found, release, data)
    older = [(ancestor, _ancestor(found, ancestor, walk)) for ancestor in release.ancestors]
    steps = [files_step(found, told), weights_step(found, told), recipe_step(told)]
    steps.append(base_step(told, *(step for ancestor, step in older if ancestor.role == "base")))
    steps += [step for ancestor, step in older if ancestor.role == "base_adapter"]
    if told.record and told.record.base_adapter_sha256:
        steps.append(_continued(told.record.base_adapter_sha256, told))
    if told.manifest:
        steps += _data_steps(told, told.manifest, texts, problem)
        steps.append(_writers(told.manifest, *(step for ancestor, step in older if ancestor.role == "writer")))
    title = f"model {release.name}" + (f" at {found.revision}" if found.revision else "")
    return Step(title, {"asked for": found.name} if found.name != release.name else {}, (), tuple(steps)), told, texts


def _data_steps(told: Told, manifest: Manifest, texts: Texts | None, problem: Check | None) -> Iterator[Step]:
    verdicts, why = add_up(manifest)
    yield pairs_step(told, verdicts, why, manifest)
    yield votes_step(manifest)
    data = told.release.data
    if texts is None:
        facts: dict[str, object] = {"name": data.repo, "revision": data.revision} if data else {}
        yield Step("data set", facts, (problem,) if problem else ())
        return
    yield data_step(told, manifest, texts, verdicts)


def _texts(found: Located, release: Release, data: Path | None) -> tuple[Texts | None, Check | None]:
    """Return the texts behind the release, or why there are none."""
    if data is not None:
        return read_data_set(data, str(data)), None
    if found.run is not None and (texts := read_run_texts(found.run)):
        return texts, None
    if release.data is None:
        return None, unchecked("no data set was published with it, so no text was looked at (`--data` names a folder)")
    from ..hub import fetch

    place = f"{release.data.repo} at {release.data.revision}"
    try:
        fetched = fetch(release.data.repo, release.data.revision, kind="dataset")
        if fetched.revision != release.data.revision:
            return None, wrong(f"{place}: the Hub gave the commit {fetched.revision}")
        return read_data_set(fetched.folder, place), None
    except UserError as error:
        return None, _unread(error)


def _unread(error: UserError) -> Check:
    """A revision that is not there, or rows of another form, is wrong; a repository out of sight can't be judged."""
    from huggingface_hub.errors import RevisionNotFoundError

    gone = isinstance(error.__cause__, RevisionNotFoundError)
    return wrong(str(error)) if gone or isinstance(error, NoDataSet) else unchecked(str(error))


def _writers(manifest: Manifest, *steps: Step) -> Step:
    if manifest.items is None:
        return Step("candidates", {}, (unchecked("who wrote them is not in releases of format 1"),))
    origins = Counter(
        (origin.kind, origin.name, origin.revision or "") for item in manifest.items for origin in item.origins
    )
    facts: dict[str, object] = {
        " ".join(part for part in (kind, name, f"({revision})" if revision else "") if part): f"{count} candidates"
        for (kind, name, revision), count in origins.most_common()
    }
    return Step("candidates", facts, (), steps)


def _continued(sha256: str, told: Told) -> Step:
    named = [one for one in told.release.ancestors if one.role == "base_adapter"]
    if not named:
        checks = [unchecked("it is not known as a release of prefloop's")]
    elif named[0].sha256 == sha256:
        checks = [verified("the training recorded the release named above")]
    else:
        checks = [wrong(f"the release named above is {named[0].sha256[:16]}")]
    if told.report:
        checks.append(
            agree(
                told.report.base.sha256 == sha256,
                "the report compares with it",
                f"the report compares with another model ({told.report.base.sha256[:16]})",
            )
        )
    return Step("adapter it went on from", {"fingerprint": sha256}, tuple(checks))


def _ancestor(found: Located, ancestor: Ancestor, walk: _Walk) -> Step:
    """Walk on into an earlier release."""
    role = {"base": "base model", "base_adapter": "adapter it went on from", "writer": "writer of candidates"}
    title = f"{role[ancestor.role]}: release {ancestor.name}"
    if ancestor.sha256 in walk.been:
        return Step(title, {"fingerprint": ancestor.sha256}, (verified("it is the model walked above"),))
    try:
        older = _open(found, ancestor)
        release = read_mark(older.folder)
    except UserError as error:
        return Step(title, {}, (unchecked(str(error)),))
    check = _identity(older, release, ancestor)
    if release.trained_sha256 in walk.been:  # known by another fingerprint of its
        return Step(title, {}, (check,))
    step, _, _ = _release(older, release, walk, None)
    return Step(title, {}, (check,), (step,))


def _open(found: Located, ancestor: Ancestor) -> Located:
    """Find the earlier release: where the run's recipe says, if that is on this machine, else by its name."""
    for path in _recipe_places(found.run) if found.run else ():
        for place in (path, path.parent.parent):
            try:
                here = locate_release(str(place)) if place.is_dir() else None
                if here and ancestor.sha256 in _fingerprints(here.folder, read_mark(here.folder)):
                    return here
            except UserError:
                continue
    revision = f"@{ancestor.revision}" if ancestor.revision else ""
    return locate_release(ancestor.name + revision)


def _recipe_places(run: Path) -> Iterator[Path]:
    recipe = read_json(run / "recipe.json") if (run / "recipe.json").exists() else {}
    writers = ((recipe.get("collect") or {}).get("sample") or {}).get("writers") or ()
    train: dict[str, Any] = recipe.get("train") or {}
    named = [train.get("base_model"), train.get("base_adapter")]
    named += [writer.get(key) for writer in writers for key in ("adapter", "model")]
    yield from (Path(str(name)).expanduser() for name in named if name)


def _fingerprints(folder: Path, release: Release) -> set[str]:
    """Return all that an earlier release can be known by: as trained, as released, and as a whole model."""
    whole = {fingerprint(folder)} if is_whole(folder) else set()
    return {release.trained_sha256, adapter_sha256(folder)} | whole


def _identity(older: Located, release: Release, ancestor: Ancestor) -> Check:
    try:
        known = _fingerprints(older.folder, release)
    except UserError as error:
        return wrong(str(error))
    if ancestor.sha256 in known:
        return verified(f"it is the model that took part ({ancestor.sha256[:16]})")
    said = f"it is another model ({release.trained_sha256[:16]}) than the one that took part ({ancestor.sha256[:16]})"
    if ancestor.revision is None:
        return unchecked(f"{said}; which revision took part is not on record")
    return wrong(said)

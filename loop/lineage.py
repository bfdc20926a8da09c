"""The people's side of a run as a release may tell it, and the earlier releases that the run was made from."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, Vote, read_pairs, read_sealed, read_side_key, read_votes
from ..collect.export import pseudonym
from ..models import model_here
from ..recipe import Recipe
from ..runs import Run, read_json
from .exporting import guidelines
from .folder import collected_file, run_of
from .judging import adjudications

if TYPE_CHECKING:
    from ..models import ModelFolder
    from ..publish.lineage import Ancestor, Lineage, Role


@dataclass(frozen=True, slots=True)
class EarlierRounds:
    """What the model that a training starts from has been trained on, round after round."""

    pairs: tuple[PreferencePair, ...]
    unseen: tuple[str, ...]
    """The models whose pairs are not on this machine."""


def earlier_rounds(recipe: Recipe) -> EarlierRounds:
    """Return the pairs of the rounds before, from the runs that made the models that this one goes on from."""
    found: dict[Path, list[PreferencePair]] = {}
    unseen: list[str] = []
    left = list(_started_from(recipe.train.model_dump(mode="json")))
    while left:
        name, model, tuned = left.pop()
        run = run_of(model)
        if run in found:
            continue
        if run and (pairs := run / "collect" / "pairs.jsonl").exists():
            found[run] = read_pairs(pairs)
            left += _started_from(read_json(run / "recipe.json")["train"])
        elif run or tuned:
            unseen.append(run.name if run else name)
    return EarlierRounds(tuple(pair for pairs in found.values() for pair in pairs), tuple(unseen))


def _started_from(train: Mapping[str, Any]) -> Iterator[tuple[str, Path, bool]]:
    """Yield the models that a training starts from, and whether they are known to be somebody's tuned ones."""
    if train.get("base_adapter"):
        adapter = Path(train["base_adapter"]).expanduser().resolve()
        yield adapter.name, adapter, True
    if place := _model_place(base := train["base_model"], train.get("base_revision")):
        name = place.name if Path(base).expanduser().is_dir() else base  # a folder's place is nobody's business
        yield name, place.resolve(), bool(_release_at(place) or _merged_from(place))


def run_lineage(run: Run, recipe: Recipe, base: "ModelFolder") -> "Lineage":
    """Return the run's votes under the pseudonyms that its data set release has too, and the releases behind it."""
    from ..publish.lineage import Lineage

    key = read_side_key(collected_file(run, "annotator_key"))

    def renamed(votes: list[Vote]) -> list[Vote]:
        return [replace(vote, annotator=pseudonym(vote.annotator, key)) for vote in votes]

    told = guidelines(run, recipe.collect)
    return Lineage(
        votes=renamed(read_votes(collected_file(run, "votes.jsonl"))),
        adjudications=renamed(adjudications(run)),
        sealed=read_sealed(collected_file(run, "sealed.json")),
        guidelines_sha256=hashlib.sha256(told.encode()).hexdigest() if told else None,
        ancestors=tuple(_ancestors(recipe, base)),
    )


def _ancestors(recipe: Recipe, base: "ModelFolder") -> "Iterator[Ancestor]":
    from ..models import fingerprint

    if base.path and (found := _release_at(base.path)):
        yield _ancestor("base", found, _merged_from(base.path) or base.sha256, base.path)
    if (path := recipe.train.base_adapter) and (found := _release_at(path)):
        yield _ancestor("base_adapter", found, _adapter_sha256(path), path)
    for writer in recipe.collect.sample.writers if recipe.collect.sample else ():
        if writer.adapter:
            if found := _release_at(writer.adapter):
                yield _ancestor("writer", found, _adapter_sha256(writer.adapter), writer.adapter)
        elif (place := _model_place(writer.model, writer.revision)) and (found := _release_at(place)):
            yield _ancestor("writer", found, fingerprint(place), place)


def _model_place(name: str | None, revision: str | None) -> Path | None:
    """Return where a writer's model is on this machine; None for the recipe's base, and for one at an endpoint."""
    if name is None:
        return None
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else model_here(name, revision)


def _release_at(path: Path) -> Path | None:
    """Return the release folder that the model is or lies in, or that of the run that made it."""
    from ..publish.release import MARK

    run = run_of(path)
    places = (path, path.parent, *([run / "release"] if run else []))
    return next((folder for folder in places if (folder / MARK).exists()), None)


def _merged_from(path: Path) -> str | None:
    """Return the fingerprint of the adapter that was merged into the model, if prefloop did it."""
    from ..publish.engines.export import MARK
    from ..train.export.merge import RECORD

    record = next((path / name for name in (MARK, RECORD) if (path / name).exists()), None)
    return str(read_json(record)["adapter_sha256"]) if record else None


def _ancestor(role: "Role", release: Path, sha256: str, path: Path) -> "Ancestor":
    from ..publish.lineage import Ancestor

    # The Hub's cache keeps each revision in a folder of its commit's name.
    revision = path.name if path.parent.name == "snapshots" else None
    return Ancestor(role, str(read_json(release / "release.json")["name"]), revision, sha256)


def _adapter_sha256(path: Path) -> str:
    from ..train.adapter import adapter_sha256

    return adapter_sha256(path)

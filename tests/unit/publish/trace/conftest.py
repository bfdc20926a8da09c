"""A release of the demonstration's votes whose weights are a few bytes, with its data set beside it."""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefloop.collect import read_items, read_pairs, read_sealed, read_votes, write_rows
from prefloop.collect.data_card import ExportSettings
from prefloop.collect.export import pseudonym
from prefloop.collect.sides import read_side_key
from prefloop.loop import adopt_votes, export_run
from prefloop.models import ModelFolder
from prefloop.publish import Evidence
from prefloop.publish.lineage import Lineage
from prefloop.publish.manifest import manifest
from prefloop.publish.release import MARK, _hashes
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json, write_json
from prefloop.train import Adapter, TrainSettings
from prefloop.train.adapter import adapter_sha256
from prefloop.train.rows import data_sha256


@dataclass
class Case:
    """A release and its data set, free to be changed."""

    release: Path
    data: Path
    run: Path

    def edit(self, name: str, change: Any) -> None:
        """Change a JSON file of the release, and release.json with it as a careful forger would."""
        row = read_json(self.release / name)
        change(row)
        write_json(self.release / name, row)
        self.rehash()

    def rehash(self) -> None:
        mark = read_json(self.release / MARK)
        write_json(self.release / MARK, mark | {"files": _hashes(self.release)})

    def rows(self, part: str) -> list[Any]:
        return [json.loads(line) for line in (self.data / f"{part}.jsonl").read_text().splitlines()]

    def write(self, part: str, rows: list[Any]) -> None:
        (self.data / f"{part}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The case as it was written."""
    folder = tmp_path_factory.mktemp("trace")
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        recipe = load_recipe(path)
    votes = [
        replace(vote, edit=f"Team: product\nReply: A better one, {place}.") if place % 20 == 0 else vote
        for place, vote in enumerate(read_votes(recipe.collect.votes))
    ]
    write_rows(folder / "votes.jsonl", votes)
    recipe = recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"votes": folder / "votes.jsonl"})})
    run = open_run(folder / "run", resolved(recipe))
    adopt_votes(run, recipe)
    settings = ExportSettings("first replies", "Drafts the first reply.", "cc-by-4.0", ("en",), items=True)
    export_run(run, recipe, folder / "data", settings)
    release = write_small_release(run.folder, recipe)
    return Case(release, folder / "data", run.folder)


def write_small_release(run: Path, recipe: Any) -> Path:
    """Write what trace reads of a release, over weights that are no model."""
    release, collected = run / "release", run / "collect"
    release.mkdir()
    (release / "adapter_config.json").write_text("{}")
    (release / "adapter_model.safetensors").write_bytes(b"weights")
    training, sealed = read_pairs(collected / "pairs.jsonl"), read_pairs(collected / "sealed_pairs.jsonl")
    train = TrainSettings(loss_type=("sigmoid",))
    recipe = recipe.model_copy(update={"train": train})
    digest = adapter_sha256(release)
    base = ModelFolder("org/base", release, "hub", "a" * 40, "b" * 64)
    adapter = Adapter(
        release, base.name, base.revision, base.sha256, data_sha256(training, train), digest, train,
        pairs=len(training), steps=1, seconds=1.0, pairs_per_second=1.0, metrics={}, versions={},
    )  # fmt: skip
    held = hashlib.sha256("\n".join(sorted(pair.id for pair in sealed)).encode()).hexdigest()
    report = {"base": {"sha256": base.sha256}, "tuned": {"sha256": digest}, "sealed": {"sha256": held, "pairs": 1}}
    told = SimpleNamespace(sealed=SimpleNamespace(sha256=held))
    key = read_side_key(collected / "annotator_key")
    votes = [replace(vote, annotator=pseudonym(vote.annotator, key)) for vote in read_votes(collected / "votes.jsonl")]
    lineage = Lineage(votes, [], read_sealed(collected / "sealed.json"), None)
    evidence = Evidence(
        resolved(recipe), base, adapter, read_json(collected / "summary.json"), read_items(collected / "items.jsonl"),
        training, sealed, told, lineage=lineage,  # type: ignore[arg-type]
    )  # fmt: skip
    write_json(release / "data.json", manifest(evidence))
    write_json(release / "report.json", report)
    write_json(release / "recipe.json", resolved(recipe))
    record = {
        "base_name": base.name, "base_revision": base.revision, "base_sha256": base.sha256,
        "data_sha256": adapter.data_sha256, "sha256": digest, "pairs": len(training),
        "settings": train.model_dump(mode="json"), "base_adapter_sha256": None,
    }  # fmt: skip
    write_json(release / "prefloop.json", record)
    row = {
        "format": 2, "prefloop": "0", "created": "2026-01-01T00:00:00+00:00", "name": "first-replies",
        "trained_sha256": digest, "data": None, "ancestors": [], "files": _hashes(release),
        "base": {"name": base.name, "revision": base.revision, "sha256": base.sha256, "source": "hub"},
    }  # fmt: skip
    write_json(release / MARK, row)
    return release


@pytest.fixture
def case(template: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A copy of it, on a machine whose Hub cache is empty."""
    monkeypatch.setattr("prefloop.publish.trace.model.model_here", lambda name, revision: None)
    run = tmp_path / "run"
    shutil.copytree(template.run, run)
    shutil.copytree(template.data, tmp_path / "data")
    return Case(run / "release", tmp_path / "data", run)

"""A run published with its data set to a Hub, and traced back to its votes from a machine that knows nothing of it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from prefloop.collect import read_pairs, read_sealed, read_votes
from prefloop.evaluate.report import Report
from prefloop.loop import adopt_votes
from prefloop.loop.reporting import write_report
from prefloop.models import ModelFolder, fingerprint
from prefloop.recipe import Recipe, load_recipe, resolved
from prefloop.runs import Run, open_run, read_json, write_json
from prefloop.train import Adapter, TrainSettings
from prefloop.train.adapter import adapter_sha256, write_record
from prefloop.train.rows import data_sha256

PREFLOOP = Path(sys.executable).with_name("prefloop")


@pytest.fixture(autouse=True)
def without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_HUB_DISABLE_XET says, in a process that has imported the client already."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


@pytest.fixture
def run(base_folder: Path, adapter_folder: Path, report: Report, tmp_path: Path) -> Run:
    """The demonstration's votes, a random adapter that says that it was trained on them, and a report on it."""
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        demo = load_recipe(path, ["publish.license=mit"])
    base = ModelFolder(str(base_folder), base_folder, "folder", "local", fingerprint(base_folder))
    train = TrainSettings(base_model=str(base_folder))
    recipe = Recipe.model_validate(
        resolved(demo) | {"name": "tiny", "train": train.model_dump(mode="json")}
        | {"publish": {"license": "mit", "data": {"license": "cc-by-4.0", "consent": "own"}}}
    )  # fmt: skip
    opened = open_run(tmp_path / "run", resolved(recipe))
    adopt_votes(opened, recipe)
    trained = opened.folder / "train" / "adapter"
    shutil.copytree(adapter_folder, trained)
    pairs = read_pairs(opened.folder / "collect" / "pairs.jsonl")
    adapter = Adapter(
        trained, base.name, base.revision, base.sha256, data_sha256(pairs, train), adapter_sha256(trained), train,
        pairs=len(pairs), steps=3, seconds=1.0, pairs_per_second=1.0, metrics={"loss": 0.6}, versions={"trl": "1"},
    )  # fmt: skip
    write_record(adapter)
    sealed = read_pairs(opened.folder / "collect" / "sealed_pairs.jsonl")
    measured = replace(
        report, base=replace(report.base, sha256=base.sha256), tuned=replace(report.tuned, sha256=adapter.sha256)
    )
    write_report(opened, replace(measured, sealed=sealed_set(measured, [pair.id for pair in sealed])))
    return opened


def sealed_set(report: Report, ids: list[str]) -> Any:
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    return replace(report.sealed, pairs=len(ids), sha256=digest)


def prefloop(hub: Any, folder: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | hub.environment | {"PREFLOOP_HOME": str(folder / "home")} | more
    command = [str(PREFLOOP), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert hub.token not in done.stdout + done.stderr
    return done


def marks(steps: list[Any], mark: str) -> list[str]:
    return [
        sentence
        for step in steps
        for sentence in [
            *(check["what"] for check in step["checks"] if check["mark"] == mark), *marks(step["steps"], mark)
        ]
    ]  # fmt: skip


def traced(hub: Any, folder: Path, *arguments: object) -> tuple[int, Any]:
    """Trace in a process whose cache is empty."""
    shutil.rmtree(folder / "elsewhere", ignore_errors=True)
    (folder / "elsewhere").mkdir()
    cache = str(folder / "elsewhere")
    done = prefloop(hub, folder / "elsewhere", "trace", *arguments, "--json", HF_HOME=cache, HF_HUB_CACHE=cache)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_published_run_is_traced_to_its_votes_and_what_is_changed_is_found(
    run: Run, local_hub: Any, tmp_path: Path
) -> None:
    pushed = prefloop(
        local_hub, tmp_path, "publish", run.folder, "--repo", "acme/tiny", "--data-repo", "acme/tiny-votes", "--yes"
    )
    assert pushed.returncode == 0, pushed.stderr
    code, found = traced(local_hub, tmp_path, "acme/tiny")
    assert marks(found["steps"], "wrong") == []
    assert code == 0
    commit = local_hub.api().model_info("acme/tiny").sha
    assert found["revision"] == commit
    verified = "\n".join(marks(found["steps"], "verified"))
    for part in (
        f"content hash that the Hub gave for commit {commit}",
        "follow from their votes, added up again",
        "give the hash that the training recorded",
        "items have ids that are the hash",
        "is the hash of its lineage",
        "that were set apart",
    ):
        assert part in verified, part
    # Trained on a local folder: that the released weights are those trained is explained, not claimed.
    assert any("the config named the base by a local folder" in one for one in marks(found["steps"], "unchecked"))
    votes = {vote.id: vote for vote in read_votes(run.folder / "collect" / "votes.jsonl")}
    told = {vote["id"]: vote for pair in found["pairs"] for vote in pair["votes"]}
    assert told.keys() <= votes.keys()
    assert all(told[name]["choice"] == votes[name].choice for name in told)
    names = {vote.annotator for vote in votes.values()}
    assert len({vote["annotator"] for vote in told.values()}) == len(names)
    assert not [name for name in names if name in json.dumps(found)]

    nothing_sealed_was_pushed(run, local_hub, tmp_path)
    one_pair(local_hub, tmp_path, found)
    changes_on_the_hub(local_hub, tmp_path, commit)
    a_second_round(run, local_hub, tmp_path, commit)


def nothing_sealed_was_pushed(run: Run, hub: Any, folder: Path) -> None:
    sealed = read_sealed(run.folder / "collect" / "sealed.json")
    held = read_pairs(run.folder / "collect" / "sealed_pairs.jsonl")
    there = Path(hub.api().snapshot_download("acme/tiny-votes", repo_type="dataset", cache_dir=folder / "look"))
    text = "".join(path.read_text() for path in there.iterdir())
    assert '"vote_ids"' in text
    for pair in held:
        assert pair.prompt_id not in text
        assert pair.item_id not in text
        assert json.dumps(pair.chosen, ensure_ascii=False) not in text
    assert not [prompt_id for prompt_id in sealed.prompt_ids if prompt_id in text]


def one_pair(hub: Any, folder: Path, found: Any) -> None:
    pair = next(row for row in found["pairs"] if row["part"] == "training" and row["kind"] == "vote")
    code, row = traced(hub, folder, "acme/tiny@v1", "--pair", pair["id"])
    assert code == 0
    [tree] = row["steps"]
    assert "its id is the hash of these texts" in marks([tree], "verified")
    [step] = [step for step in tree["steps"] if step["title"].startswith("votes")]
    assert set(pair["named"]) == set(step["facts"])
    assert traced_bad(hub, folder, "acme/tiny", "--pair", "nothing") == 2
    assert traced_bad(hub, folder, "acme/nothing-here") == 2
    assert traced_bad(hub, folder, "acme/tiny@v99") == 2


def traced_bad(hub: Any, folder: Path, *arguments: object) -> int:
    return prefloop(hub, folder, "trace", *arguments).returncode


def changes_on_the_hub(hub: Any, folder: Path, commit: str) -> None:
    """Somebody changes weights, then the data revision, on the Hub itself: the newest state is wrong, v1 is not."""
    api = hub.api()
    api.upload_file(path_or_fileobj=b"other", path_in_repo="adapter_model.safetensors", repo_id="acme/tiny")
    code, found = traced(hub, folder, "acme/tiny")
    assert code == 1
    assert "adapter_model.safetensors" in "\n".join(marks(found["steps"], "wrong"))
    code, found = traced(hub, folder, f"acme/tiny@{commit}")
    assert (code, found["marks"]["wrong"]) == (0, 0)

    here = Path(api.snapshot_download("acme/tiny", revision=commit, cache_dir=folder / "look"))
    mark = read_json(here / "release.json")
    for revision, said in (("0" * 40, "has no such revision"), (first_commit(api), "no data set of prefloop's")):
        changed = json.dumps(mark | {"data": mark["data"] | {"revision": revision}}).encode()
        api.upload_file(path_or_fileobj=changed, path_in_repo="release.json", repo_id="acme/tiny")
        code, found = traced(hub, folder, "acme/tiny")
        assert code == 1
        assert said in "\n".join(marks(found["steps"], "wrong"))
    gone = json.dumps(mark | {"data": mark["data"] | {"repo": "acme/gone"}}).encode()
    api.upload_file(path_or_fileobj=gone, path_in_repo="release.json", repo_id="acme/tiny")
    assert "acme/gone is not on the Hub" in "\n".join(marks(traced(hub, folder, "acme/tiny")[1]["steps"], "unchecked"))


def first_commit(api: Any) -> str:
    return str(api.list_repo_commits("acme/tiny-votes", repo_type="dataset")[-1].commit_id)


def a_second_round(run: Run, hub: Any, folder: Path, commit: str) -> None:
    """A release that went on from the published one leads into it."""
    second = folder / "second"
    shutil.copytree(run.folder / "release", second)
    mark = read_json(second / "release.json")
    older = {"role": "base_adapter", "name": "acme/tiny", "revision": commit, "sha256": mark["trained_sha256"]}
    write_json(second / "release.json", mark | {"ancestors": [older], "trained_sha256": "9" * 64})
    _, found = traced(hub, folder, second)
    [step] = [step for step in found["steps"][0]["steps"] if "release acme/tiny" in step["title"]]
    assert step["checks"][0]["mark"] == "verified"
    assert step["steps"][0]["title"] == f"model acme/tiny at {commit}"
    assert marks(step["steps"], "wrong") == []

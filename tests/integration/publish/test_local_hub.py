"""The contract of the local Hub: the real client, over HTTP, must find in it what it expects of the Hub."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelCard, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

CARD = """---
license: apache-2.0
library_name: peft
base_model: some/base
datasets: [acme/votes]
language: [en]
tags: [prefloop, dpo]
---
# A model
"""


@pytest.fixture(autouse=True)
def without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_HUB_DISABLE_XET says, in a process that has imported the client already."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def api(local_hub: Any) -> HfApi:
    return local_hub.api()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release in miniature: a card, a small file, one LFS file in one piece, one in parts, an empty one."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "README.md").write_text(CARD)
    (tmp_path / "in" / "deep" / "config.json").write_text('{"a": 1}')
    (tmp_path / "in" / "small.safetensors").write_bytes(b"\0\1" * 500)
    (tmp_path / "in" / "large.bin").write_bytes(bytes(range(256)) * 48_000)
    (tmp_path / "in" / "empty.txt").touch()
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.name != ".gitattributes"
    }


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_folder_goes_up_and_comes_back(api: HfApi, folder: Path, tmp_path: Path, kind: str) -> None:
    assert api.create_repo("acme/replies", repo_type=kind, private=True).repo_id == "acme/replies"
    done = api.upload_folder(repo_id="acme/replies", folder_path=folder, repo_type=kind, commit_message="first")
    info = api.repo_info("acme/replies", repo_type=kind, files_metadata=True)
    assert (info.sha, info.private) == (done.oid, True)
    assert info.card_data.license == "apache-2.0"
    lfs = {row.rfilename for row in info.siblings if row.lfs}
    assert lfs == {"small.safetensors", "large.bin"}
    to = tmp_path / "out"
    api.snapshot_download("acme/replies", repo_type=kind, local_dir=to, cache_dir=tmp_path / "cache")
    assert contents(to) == contents(folder)


def test_parts_and_ranges(local_hub: Any, api: HfApi, folder: Path, tmp_path: Path) -> None:
    api.create_repo("acme/replies")
    api.upload_folder(repo_id="acme/replies", folder_path=folder)
    whole = (folder / "large.bin").read_bytes()
    parts = [row["bytes"] for row in local_hub.asked("PUT /s3/") if row["bytes"] > 1024**2]
    assert parts == [4 * 1024**2, 4 * 1024**2, len(whole) - 8 * 1024**2]
    # A download that breaks off goes on where it stopped.
    local_hub.fault({"match": "GET /cdn/", "kind": "cut", "after": 11 * 1024**2})
    at = {"repo_id": "acme/replies", "filename": "large.bin", "endpoint": local_hub.url, "cache_dir": tmp_path}
    assert Path(hf_hub_download(**at)).read_bytes() == whole
    assert [row["status"] for row in local_hub.asked("GET /cdn/")] == [200, 206]


def test_storage_never_gets_the_token(local_hub: Any, api: HfApi, folder: Path, tmp_path: Path) -> None:
    api.create_repo("acme/replies", private=True)
    api.upload_folder(repo_id="acme/replies", folder_path=folder)
    api.snapshot_download("acme/replies", local_dir=tmp_path / "out", cache_dir=tmp_path / "cache")
    stored = [row for row in local_hub.requests() if row["line"].split()[1].startswith(("/s3/", "/cdn/"))]
    assert {row["line"].split()[0] for row in stored} == {"PUT", "GET"}
    assert {(row["token"], row["host"].split(":")[0]) for row in stored} == {(False, "localhost")}


def test_commits_are_whole_and_know_their_parent(api: HfApi, folder: Path) -> None:
    api.create_repo("acme/replies")
    first = api.upload_folder(repo_id="acme/replies", folder_path=folder)
    operations = [CommitOperationAdd("new.txt", b"new"), CommitOperationDelete("deep/config.json")]
    second = api.create_commit("acme/replies", operations, commit_message="more", parent_commit=first.oid)
    assert set(api.list_repo_files("acme/replies")) == {
        ".gitattributes", "README.md", "empty.txt", "large.bin", "new.txt", "small.safetensors",
    }  # fmt: skip
    with pytest.raises(HfHubHTTPError, match="A commit has happened since"):
        api.create_commit("acme/replies", [CommitOperationAdd("late.txt", b"")], commit_message="late",
                          parent_commit=first.oid)  # fmt: skip
    titles = [(row.title, row.commit_id) for row in api.list_repo_commits("acme/replies")]
    assert titles[:2] == [("more", second.oid), ("Upload folder using huggingface_hub", first.oid)]
    assert api.file_exists("acme/replies", "deep/config.json", revision=first.oid)


def test_what_is_there_is_not_sent_again(local_hub: Any, api: HfApi, folder: Path) -> None:
    api.create_repo("acme/replies")
    first = api.upload_folder(repo_id="acme/replies", folder_path=folder)
    sent = len(local_hub.asked("PUT /s3/"))
    assert api.upload_folder(repo_id="acme/replies", folder_path=folder).oid == first.oid
    (folder / "small.safetensors").rename(folder / "renamed.safetensors")
    api.upload_folder(repo_id="acme/replies", folder_path=folder)
    assert sent == len(local_hub.asked("PUT /s3/")) == 4


def test_lfs_files_of_other_names_are_written_to_gitattributes(api: HfApi, tmp_path: Path) -> None:
    api.create_repo("acme/replies")
    api.upload_file(repo_id="acme/replies", path_or_fileobj=b"GGUF\0\0", path_in_repo="model.gguf")
    text = Path(api.hf_hub_download("acme/replies", ".gitattributes", cache_dir=tmp_path)).read_text()
    assert text.splitlines()[-1].startswith("model.gguf filter=lfs")


def test_tags_and_revisions(api: HfApi, folder: Path, tmp_path: Path) -> None:
    api.create_repo("acme/replies")
    first = api.upload_folder(repo_id="acme/replies", folder_path=folder)
    api.create_tag("acme/replies", tag="v1", tag_message="the first", revision=first.oid)
    api.upload_file(repo_id="acme/replies", path_or_fileobj=CARD.encode() + b"\nMore.", path_in_repo="README.md")
    assert [(row.name, row.target_commit) for row in api.list_repo_refs("acme/replies").tags] == [("v1", first.oid)]
    assert api.repo_info("acme/replies", revision="v1").sha == first.oid
    assert api.repo_info("acme/replies").sha != first.oid
    old = api.hf_hub_download("acme/replies", "README.md", revision="v1", cache_dir=tmp_path)
    assert first.oid in old
    assert Path(old).read_text() == CARD
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag("acme/replies", tag="v1")
    api.delete_tag("acme/replies", tag="v1")
    assert api.list_repo_refs("acme/replies").tags == []
    with pytest.raises(RevisionNotFoundError):
        api.repo_info("acme/replies", revision="v1")


def test_listing_by_author_and_tags(start_local_hub: Any, folder: Path) -> None:
    hub = start_local_hub(["--page-size", "2"])
    api = hub.api()
    for name in ("acme/a", "acme/b", "acme/c", "tester/d"):
        api.create_repo(name, private=name == "acme/c")
        api.upload_folder(repo_id=name, folder_path=folder, ignore_patterns=["*.bin"])
    api.create_repo("acme/other")
    api.create_repo("acme/votes", repo_type="dataset")
    found = list(api.list_models(author="acme", filter="prefloop", full=True, cardData=True))
    assert [row.id for row in found] == ["acme/a", "acme/b", "acme/c"]
    assert found[0].card_data.base_model == "some/base"
    assert {"peft", "license:apache-2.0", "base_model:adapter:some/base", "dataset:acme/votes"} <= {*found[0].tags}
    expanded = list(api.list_models(author="acme", filter=["prefloop", "dpo"], expand=["sha", "cardData", "private"]))
    assert [row.private for row in expanded] == [False, False, True]
    assert [row.id for row in api.list_models(search="D", filter="prefloop")] == ["tester/d"]
    assert [row.id for row in hub.api(hub.stranger_token).list_models(filter="prefloop", author="acme")] == [
        "acme/a", "acme/b",
    ]  # fmt: skip
    assert [row.id for row in api.list_datasets(author="acme")] == ["acme/votes"]


def test_who_may_do_what(local_hub: Any, api: HfApi) -> None:
    assert api.whoami()["name"] == "tester"
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"
    api.create_repo("acme/secret", private=True)
    stranger, reader, expired = (
        local_hub.api(token) for token in (local_hub.stranger_token, local_hub.read_token, local_hub.expired_token)
    )
    for outsider in (stranger, local_hub.api(False)):
        with pytest.raises(RepositoryNotFoundError):
            outsider.repo_info("acme/secret")
    assert reader.repo_info("acme/secret").private
    with pytest.raises(HfHubHTTPError, match="write token"):
        reader.create_repo("acme/new")
    with pytest.raises(HfHubHTTPError, match="rights"):
        stranger.create_repo("acme/new")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        expired.whoami()
    with pytest.raises(HfHubHTTPError, match="You already created"):
        api.create_repo("acme/secret")
    assert api.create_repo("acme/secret", exist_ok=True).repo_id == "acme/secret"
    api.update_repo_settings("acme/secret", private=False)
    assert not stranger.repo_info("acme/secret").private
    with pytest.raises(HfHubHTTPError, match="rights"):
        stranger.upload_file(repo_id="acme/secret", path_or_fileobj=b"x", path_in_repo="x")
    api.delete_repo("acme/secret")
    assert not api.repo_exists("acme/secret")


def test_what_is_not_there(api: HfApi, tmp_path: Path) -> None:
    api.create_repo("acme/replies")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("acme/replies", "no.json", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download("acme/replies", ".gitattributes", revision="v9", cache_dir=tmp_path)
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("acme/replies", "no/folder"))
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(repo_id="acme/replies", path_or_fileobj=b"---\nlicense: [\n---\n", path_in_repo="README.md")


def test_a_card_by_the_cards_own_class(local_hub: Any, api: HfApi, folder: Path) -> None:
    api.create_repo("tester/replies")
    api.upload_folder(repo_id="tester/replies", folder_path=folder)
    rows = api.get_paths_info("tester/replies", ["deep", "large.bin", "no"])
    assert [(type(row).__name__, row.path) for row in rows] == [("RepoFolder", "deep"), ("RepoFile", "large.bin")]
    card = ModelCard(Path(folder / "README.md").read_text())
    assert api.model_info("tester/replies").card_data.to_dict() == card.data.to_dict()


def test_plain_transformers_load_what_was_pushed(local_hub: Any, api: HfApi, base_folder: Path) -> None:
    api.create_repo("acme/tiny", private=True)
    api.upload_folder(repo_id="acme/tiny", folder_path=base_folder)
    code = """
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("acme/tiny")
tokenizer = AutoTokenizer.from_pretrained("acme/tiny")
print(tokenizer.decode(model.generate(**tokenizer("Hello", return_tensors="pt"), max_new_tokens=4)[0]))
"""
    said = []
    for name in ("acme/tiny", str(base_folder)):
        command = [sys.executable, "-P", "-c", code.replace("acme/tiny", name)]
        environment = os.environ | local_hub.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]

"""Releases go to a Hub that is busy, forgetful and full, by the real client over HTTP: whole, or not at all."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefloop.errors import UserError
from prefloop.publish.hub import Pushed, fetch, list_releases, plan_push, push_folder

REPO = "acme/replies"
CARD = "---\nlicense: apache-2.0\ntags: [prefloop]\nlibrary_name: peft\n---\n# Replies\n\nBetter by {points} points.\n"


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in these tests; return how long they would have (seconds)."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def hub(at_local_hub: Any, naps: list[float]) -> Any:
    return at_local_hub


def write(folder: Path, points: int = 12, *, extra: str | None = None) -> Path:
    """A release in miniature: two LFS files, of which one goes up in parts, and small ones."""
    (folder / ".eval_results").mkdir(parents=True, exist_ok=True)
    (folder / ".eval_results" / "demo.yaml").write_text(f"points: {points}\n")
    (folder / "README.md").write_text(CARD.format(points=points))
    (folder / "adapter_model.safetensors").write_bytes(bytes([points]) * 2_000_000)
    (folder / "tokenizer.bin").write_bytes(b"\0tokens" * 700_000)
    if extra:
        (folder / extra).write_text("only now\n")
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "release.json"
    }
    (folder / "release.json").write_text(json.dumps({"created": f"{time.monotonic_ns()}", "files": files}))
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write(tmp_path / "release")


def push(folder: Path, repo: str = REPO, **options: Any) -> Pushed:
    return push_folder(folder, repo, **{"kind": "model", "private": True, "message": "Release", **options})


def tags(hub: Any, repo: str = REPO) -> dict[str, str]:
    return {row.name: row.target_commit for row in hub.api().list_repo_refs(repo).tags}


def titles(hub: Any) -> list[str]:
    return [row.title for row in hub.api().list_repo_commits(REPO)]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".gitattributes"
    }


def uploads(hub: Any) -> list[str]:
    """The uploads that were taken, without their signatures."""
    return [row["line"].split("?")[0] for row in hub.asked("PUT /s3/") if row["status"] == 200]


def test_a_release_goes_up_whole_and_comes_back(hub: Any, release: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = push(release, progress=lambda *counts: seen.append(counts))
    size = sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
    assert seen[-1] == (size, size)
    assert [here for here, _ in seen] == sorted({here for here, _ in seen})
    assert (done.tag, done.private, done.unchanged, done.url) == ("v1", True, False, f"{hub.url}/{REPO}")
    assert set(done.uploaded) == set(contents(release))
    assert titles(hub) == ["Release", "initial commit"]
    assert tags(hub) == {"v1": done.revision}
    back = fetch(REPO, "v1", kind="model")
    assert (back.revision, contents(back.folder)) == (done.revision, contents(release))
    some = fetch(REPO, None, kind="model", only=["*.md"])
    assert some.revision == done.revision


def test_the_same_again_pushes_nothing(hub: Any, release: Path) -> None:
    first = push(release)
    asked = len(hub.requests())
    write(release)  # its mark says another time
    again = push(release)
    assert (again.unchanged, again.revision, again.tag, again.uploaded) == (True, first.revision, "v1", ())
    since = [row["line"] for row in hub.requests()[asked:] if not row["line"].startswith(("GET ", "HEAD "))]
    assert since == []


def test_the_next_release_takes_its_files_along(hub: Any, tmp_path: Path) -> None:
    first = push(write(tmp_path / "one", extra="gate.json"))
    hub.api().upload_file(repo_id=REPO, path_or_fileobj=b"mine", path_in_repo="notes.txt")
    attributes = fetch(REPO, None, kind="model", only=[".gitattributes"]).folder / ".gitattributes"
    sent = uploads(hub)
    second = push(write(tmp_path / "two", 13))
    assert (second.tag, second.deleted) == ("v2", ("gate.json",))
    assert "-Better by 12 points." in second.card_diff
    assert "tokenizer.bin" not in second.uploaded
    assert len(uploads(hub)) == len(sent) + 1
    now = fetch(REPO, None, kind="model").folder
    assert contents(now) == contents(tmp_path / "two") | {"notes.txt": b"mine"}
    assert (now / ".gitattributes").read_bytes() == attributes.read_bytes()
    assert tags(hub) == {"v1": first.revision, "v2": second.revision}
    assert contents(fetch(REPO, "v1", kind="model").folder) == contents(tmp_path / "one")


def test_a_card_that_somebody_edited_is_not_overwritten(hub: Any, release: Path, tmp_path: Path) -> None:
    push(release)
    edited = CARD.format(points=12) + "\nWritten by hand.\n"
    hub.api().upload_file(repo_id=REPO, path_or_fileobj=edited.encode(), path_in_repo="README.md")
    sent, new = uploads(hub), write(tmp_path / "new", 13)
    with pytest.raises(UserError, match=r"(?s)somebody edited it.*--yes.*-Written by hand\.") as refused:
        push(new)
    assert "+Better by 13 points." in str(refused.value)
    assert (uploads(hub), list(tags(hub))) == (sent, ["v1"])
    plan = plan_push(new, REPO, kind="model")
    assert plan.card_edited
    asked: list[str] = []
    with pytest.raises(UserError, match="edited"):
        push(new, replace_card=lambda diff: bool(asked.append(diff)))
    assert asked == [plan.card_diff]
    assert push(new, replace_card=True).tag == "v2"
    assert (fetch(REPO, kind="model").folder / "README.md").read_text() == CARD.format(points=13)


def test_a_card_that_was_there_before_us_is_not_ours(hub: Any, release: Path) -> None:
    hub.api().create_repo(REPO, private=True)
    hub.api().upload_file(repo_id=REPO, path_or_fileobj=b"---\nlicense: mit\n---\n# Mine\n", path_in_repo="README.md")
    with pytest.raises(UserError, match=r"(?s)edited.*-# Mine"):
        push(release)
    assert push(release, replace_card=True).tag == "v1"


def test_nothing_private_goes_to_a_public_repository(hub: Any, release: Path) -> None:
    hub.api().create_repo(REPO, private=False)
    with pytest.raises(UserError, match=r"public on the Hub.*--public"):
        push(release)
    assert uploads(hub) == []
    assert not push(release, private=False).private


def test_a_public_release_leaves_a_private_repository_private(hub: Any, release: Path) -> None:
    hub.api().create_repo(REPO, private=True)
    assert push(release, private=False).private
    assert hub.api().repo_info(REPO).private


def test_data_sets_go_their_own_way(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Votes\n")
    (tmp_path / "data" / "pairs.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "data" / "lineage.json").write_text('{"sha256": {"pairs.jsonl": "x"}}')
    done = push(tmp_path / "data", "acme/votes", kind="dataset")
    assert done.url == f"{hub.url}/datasets/acme/votes"
    assert contents(fetch("acme/votes", done.tag, kind="dataset").folder) == contents(tmp_path / "data")
    assert push(tmp_path / "data", "acme/votes", kind="dataset").unchanged


def test_listing_finds_what_prefloop_published(hub: Any, release: Path) -> None:
    done = push(release)
    hub.api().create_repo("acme/other")
    (listed,) = list_releases("acme")
    assert (listed.repo, listed.revision, listed.tags, listed.private) == (REPO, done.revision, ("v1",), True)
    assert listed.card == {"license": "apache-2.0", "tags": ["prefloop"], "library_name": "peft"}
    assert list_releases("tester") == []


UPLOAD, COMMIT, TAG = "PUT /s3/", "POST /api/models/acme/replies/commit/", "POST /api/models/acme/replies/tag/"
LIMIT = {"ratelimit": '"api";r=0;t=7', "ratelimit-policy": '"fixed window";"api";q=500;w=300'}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"match": UPLOAD, "kind": "drop", "after": 500_000, "times": 2}, id="drop-mid-upload"),
        pytest.param({"match": f"{UPLOAD}.*/1\\?", "kind": "drop", "after": 0}, id="drop-first-part"),
        pytest.param({"match": UPLOAD, "kind": "lost"}, id="upload-answer-lost"),
        pytest.param({"match": UPLOAD, "kind": "status", "status": 500, "times": 3}, id="storage-500"),
        pytest.param({"match": "POST .*/batch", "kind": "status", "status": 503}, id="batch-503"),
        pytest.param({"match": "POST .*/verify", "kind": "status", "status": 502}, id="verify-502"),
        pytest.param({"match": "POST .*/preupload/", "kind": "status", "status": 429}, id="preupload-429"),
        pytest.param({"match": "GET /api/whoami", "kind": "status", "status": 503, "times": 2}, id="whoami-503"),
        pytest.param({"match": "POST /api/repos/create", "kind": "lost"}, id="create-answer-lost"),
        pytest.param({"match": "POST /api/repos/create", "kind": "drop", "after": 0}, id="create-drop"),
        pytest.param({"match": "GET /api/models/acme/replies", "kind": "status", "status": 500}, id="look-500"),
        pytest.param({"match": COMMIT, "kind": "status", "status": 504, "times": 3}, id="commit-504"),
        pytest.param({"match": COMMIT, "kind": "drop", "after": 100}, id="commit-drop"),
        pytest.param({"match": COMMIT, "kind": "lost"}, id="commit-answer-lost"),
        pytest.param({"match": TAG, "kind": "status", "status": 503}, id="tag-503"),
        pytest.param({"match": TAG, "kind": "lost"}, id="tag-answer-lost"),
    ],
)
def test_what_passes_is_waited_for(hub: Any, release: Path, naps: list[float], fault: dict[str, Any]) -> None:
    hub.fault(fault)
    done = push(release)
    assert naps
    assert titles(hub) == ["Release", "initial commit"]
    assert tags(hub) == {"v1": done.revision}
    assert contents(fetch(REPO, kind="model").folder) == contents(release)


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "9"}, 9.0), (LIMIT, 7.0), ({}, 1.0)], ids=["retry-after", "limit", "none"]
)
def test_a_busy_hub_says_how_long_to_wait(
    hub: Any, release: Path, naps: list[float], headers: dict[str, str], seconds: float
) -> None:
    hub.fault({"match": COMMIT, "kind": "status", "status": 429, "headers": headers})
    push(release)
    assert naps == [seconds]


def test_downloads_wait_too(hub: Any, release: Path) -> None:
    push(release)
    hub.fault(
        {"match": "GET /cdn/", "kind": "cut", "after": 1000},
        {"match": "GET /api/models/acme/replies/revision", "kind": "status", "status": 503},
        {"match": "GET /acme/replies/resolve", "kind": "status", "status": 500},
    )
    assert contents(fetch(REPO, "v1", kind="model").folder) == contents(release)


STORAGE = {"error": "Private repository storage limit reached, see https://hub.example/settings/billing"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param({"match": COMMIT, "status": 503}, "a failure of its own (status 503)", id="commit-503"),
        pytest.param({"match": UPLOAD, "status": 500}, "a failure of its own (status 500)", id="upload-500"),
        pytest.param({"match": UPLOAD, "kind": "drop", "after": 9}, "the connection to the Hub broke off", id="drop"),
        pytest.param({"match": "POST .*/batch", "status": 429}, "asks for fewer requests", id="batch-429"),
        pytest.param({"match": COMMIT, "status": 429, "headers": {"Retry-After": "3600"}}, "fewer", id="long-429"),
        pytest.param({"match": "POST .*/batch", "status": 403, "body": STORAGE}, "no space for acme", id="storage"),
        pytest.param({"match": UPLOAD, "status": 507}, "no space for acme/replies", id="507"),
        pytest.param({"match": COMMIT, "status": 403, "body": STORAGE}, "no space for acme/replies", id="commit-403"),
        pytest.param({"match": COMMIT, "status": 401}, "it is wrong or has expired", id="expired-on-the-way"),
        pytest.param({"match": COMMIT, "status": 413}, "no space", id="413"),
        pytest.param({"match": COMMIT, "status": 418}, "refused acme/replies (status 418)", id="418"),
    ],
)
def test_what_does_not_pass_ends_in_one_sentence_and_goes_on_later(
    hub: Any, release: Path, fault: dict[str, Any], said: str
) -> None:
    hub.fault({"kind": "status", "times": -1, **fault})
    with pytest.raises(UserError, match=re.escape(said)) as refused:
        push(release)
    assert "\n" not in str(refused.value)
    assert hub.token not in str(refused.value)
    # Nobody sees half a model, and the Hub has kept what it has.
    assert (titles(hub), tags(hub)) == (["initial commit"], {})
    kept = uploads(hub)
    hub.fault()
    done = push(release)
    assert tags(hub) == {"v1": done.revision}
    assert len(uploads(hub)) == len({*uploads(hub)}), "what the Hub has kept was sent again"
    assert set(kept) <= set(uploads(hub))


def test_the_token_is_looked_at_before_anything_is_sent(
    hub: Any, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token, said in (
        (hub.expired_token, "it is wrong or has expired"),
        ("hf_thisTokenIsNoTokenOfAnybody000000", "it is wrong or has expired"),
        (hub.read_token, "may only read"),
        (hub.stranger_token, "no right to write to acme/replies; name it one of: stranger"),
    ):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(UserError, match=said) as refused:
            push(release)
        assert token not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(release / "none"))
    with pytest.raises(UserError, match="hf auth login"):
        push(release)
    assert {row["line"] for row in hub.requests()} == {"GET /api/whoami-v2"}


def test_a_token_that_a_failure_echoes_is_crossed_out(hub: Any, release: Path) -> None:
    hub.fault({"match": COMMIT, "kind": "status", "status": 403, "body": {"error": f"no rights for {hub.token} here"}})
    with pytest.raises(UserError, match=r"no rights for hf_… here"):
        push(release)


def test_a_name_that_is_taken(hub: Any, release: Path) -> None:
    hub.fault({"match": "POST /api/repos/create", "kind": "status", "status": 409, "body": {"error": "taken"}})
    with pytest.raises(UserError, match="the name acme/replies is taken"):
        push(release)


def test_somebody_pushes_at_the_same_moment(hub: Any, release: Path) -> None:
    def intrude(done: int, total: int) -> None:
        if done == total:
            hub.api().upload_file(repo_id=REPO, path_or_fileobj=b"mine", path_in_repo="notes.txt")

    with pytest.raises(UserError, match="somebody else pushed to acme/replies"):
        push(release, progress=intrude)
    assert tags(hub) == {}
    assert push(release).tag == "v1"
    assert (fetch(REPO, kind="model").folder / "notes.txt").read_bytes() == b"mine"


def test_files_that_the_hub_swallows_are_missed(hub: Any, release: Path) -> None:
    hub.api().create_repo(REPO, private=True)
    (release / ".gitignore").write_text("*.yaml\n")
    with pytest.raises(UserError, match=r"got no tag; missing or different: \.eval_results/demo\.yaml"):
        push(release)


def test_what_is_not_there(hub: Any, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="acme/none is not on the Hub, or it is private"):
        fetch("acme/none", kind="model")
    push(release)
    with pytest.raises(UserError, match="acme/replies has no such revision"):
        fetch(REPO, "v9", kind="model")
    monkeypatch.setenv("HF_TOKEN", hub.stranger_token)
    with pytest.raises(UserError, match="acme/replies is not on the Hub, or it is private"):
        fetch(REPO, kind="model")


def test_without_a_net(hub: Any, release: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> None:
    push(release)
    here = fetch(REPO, "v1", kind="model")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match="can't be reached"):
        push(release)
    with pytest.raises(UserError, match="can't be reached"):
        fetch("acme/unseen", kind="model")
    assert fetch(REPO, "v1", kind="model") == here
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE"):
        push(release)
    assert fetch(REPO, "v1", kind="model") == here


PUSH = """
import sys
from pathlib import Path
from prefloop.publish.hub import push_folder
print(push_folder(Path(sys.argv[1]), "acme/replies", kind="model", private=True, message="Release"))
"""


def killed_at(hub: Any, folder: Path, match: str, eventually: Callable[..., bool], *, after: int) -> None:
    """Push in a process of its own, and kill it -9 while the request that matches is under way."""
    hub.fault({"match": match, "kind": "stall", "after": after})
    before = len(hub.requests())
    environment = os.environ | hub.environment
    with subprocess.Popen([sys.executable, "-P", "-c", PUSH, folder], env=environment) as process:
        assert eventually(lambda: any(row["stalled"] for row in hub.requests()[before:]), 60)
        process.send_signal(signal.SIGKILL)
    hub.fault()


def test_killed_mid_upload(local_hub: Any, release: Path, eventually: Callable[..., bool], at_local_hub: Any) -> None:
    killed_at(local_hub, release, rf"{UPLOAD}.*/1\?", eventually, after=1_000_000)
    assert (titles(local_hub), tags(local_hub)) == (["initial commit"], {})
    first = uploads(local_hub)
    assert len(first) == 1
    done = push(release)
    assert tags(local_hub) == {"v1": done.revision}
    assert uploads(local_hub).count(first[0]) == 1, "a file that was up was sent again"
    assert contents(fetch(REPO, kind="model").folder) == contents(release)


def test_killed_between_commit_and_tag(
    local_hub: Any, release: Path, tmp_path: Path, eventually: Callable[..., bool], at_local_hub: Any
) -> None:
    killed_at(local_hub, release, TAG, eventually, after=0)
    assert (titles(local_hub), tags(local_hub)) == (["Release", "initial commit"], {})
    done = push(release)
    assert (done.unchanged, done.tag) == (True, "v1")
    assert titles(local_hub) == ["Release", "initial commit"]
    # Where the next release comes first, the one before gets its tag all the same.
    second = write(tmp_path / "two", 13)
    killed_at(local_hub, second, TAG, eventually, after=0)
    third = push(write(tmp_path / "three", 14))
    assert third.tag == "v3"
    assert list(tags(local_hub)) == ["v1", "v2", "v3"]
    assert contents(fetch(REPO, "v2", kind="model").folder) == contents(second)

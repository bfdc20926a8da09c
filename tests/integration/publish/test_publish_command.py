"""`prefloop publish` as a user types it: a release in miniature, a local Hub, processes of their own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefloop.publish import Evidence, PublishSettings, write_release
from prefloop.publish.hub import fetch

REPO = "acme/replies"


@pytest.fixture
def release(evidence: Evidence, tmp_path: Path) -> Path:
    page = tmp_path / "report.html"
    page.write_text("<!doctype html><title>Report</title>")
    settings = PublishSettings(repo=REPO, license="apache-2.0", base_license="apache-2.0", languages=("en",))
    return write_release(tmp_path / "release", evidence, settings, report_html=page).folder


def prefloop(hub: Any, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("prefloop")), *map(str, words)]
    everything = os.environ | hub.environment | environment
    done = subprocess.run(
        command, env=everything, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in done.stderr, done.stderr
    for token in (hub.token, hub.read_token, hub.expired_token, hub.stranger_token):
        assert token not in done.stdout + done.stderr
    return done


def test_a_written_release_is_pushed_as_it_is(at_local_hub: Any, release: Path) -> None:
    done = prefloop(at_local_hub, "publish", release, "--repo", REPO)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{at_local_hub.url}/{REPO}"
    assert "v1 at" in done.stdout
    assert "(private)" in done.stdout
    back = fetch(REPO, "v1", kind="model").folder
    for path in (path for path in release.rglob("*") if path.is_file()):
        assert (back / path.relative_to(release)).read_bytes() == path.read_bytes()
    again = prefloop(at_local_hub, "publish", release, "--repo", REPO)
    assert "nothing: all of it was there" in again.stdout
    assert len(at_local_hub.asked("POST /api/models/acme/replies/commit")) == 1


def test_an_edited_card_costs_a_word(at_local_hub: Any, release: Path) -> None:
    at_local_hub.api().create_repo(REPO, private=True)
    card = b"---\nlicense: mit\n---\n# Mine\n"
    at_local_hub.api().upload_file(repo_id=REPO, path_or_fileobj=card, path_in_repo="README.md")
    refused = prefloop(at_local_hub, "publish", release, "--repo", REPO)
    assert refused.returncode == 2
    assert "-# Mine" in refused.stderr
    assert "--yes" in refused.stderr
    done = prefloop(at_local_hub, "publish", release, "--repo", REPO, "--yes")
    assert done.returncode == 0, done.stderr
    assert "-# Mine" in done.stderr


def test_bad_tokens(at_local_hub: Any, release: Path) -> None:
    for token, said in ((at_local_hub.expired_token, "expired"), (at_local_hub.read_token, "may only read")):
        done = prefloop(at_local_hub, "publish", release, "--repo", REPO, HF_TOKEN=token, HF_DEBUG="1")
        assert done.returncode == 2
        assert said in done.stderr


def test_no_file_may_have_changed(local_hub: Any, release: Path) -> None:
    with (release / "README.md").open("a") as card:
        card.write("The best model of all.\n")
    done = prefloop(local_hub, "publish", release, "--repo", REPO)
    assert done.returncode == 2
    assert "README.md" in done.stderr
    assert local_hub.requests() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["RELEASE"], "takes --repo"),
        (["RELEASE", "--repo", "acme/other"], "was written for the name acme/replies"),
        (["EMPTY", "--repo", REPO], "neither a run's folder"),
        (["NOTHING.yaml"], "can't be read"),
    ],
)
def test_what_is_no_release(local_hub: Any, release: Path, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    named = {"RELEASE": str(release), "EMPTY": str(tmp_path / "empty"), "NOTHING.yaml": str(tmp_path / "none.yaml")}
    done = prefloop(local_hub, "publish", *(named.get(word, word) for word in words))
    assert done.returncode == 2
    assert said in done.stderr
    assert local_hub.requests() == []

"""Search and catalogue over a Hub and folders, as a user calls them: commands, the real client, real releases."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefloop.publish import Evidence, PublishSettings, read_release, write_release
from prefloop.publish.finding import read_folder

PREFLOOP = str(Path(sys.executable).with_name("prefloop"))


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def found(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs prefloop in a folder of its own."""

    def run(*arguments: object, environment: Mapping[str, str] | None = None) -> Done:
        command = [PREFLOOP, *map(str, arguments)]
        place = os.environ | (environment or {"HF_HUB_OFFLINE": "1"}) | {"COLUMNS": "200"}
        done = subprocess.run(command, cwd=tmp_path, env=place, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def release(tmp_path: Path, evidence: Evidence, report_html: Path) -> Path:
    """A release as it is really written."""
    settings = PublishSettings(license="mit", languages=("en",), tags=("questions",))
    return write_release(tmp_path / "runs" / "replies" / "release", evidence, settings, report_html=report_html).folder


def rewritten(release: Path, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Copy a release with other metadata, whole again."""
    shutil.copytree(release, to)
    _, head, body = (to / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(head)
    change(card)
    (to / "README.md").write_text(f"---\n{yaml.safe_dump(card, sort_keys=False)}---\n{body}")
    mark = json.loads((to / "release.json").read_text())
    mark["files"]["README.md"] = hashlib.sha256((to / "README.md").read_bytes()).hexdigest()
    (to / "release.json").write_text(json.dumps(mark))
    read_release(to)
    return to


@pytest.fixture
def hub(local_hub: Any, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An organisation with two releases, a private one, one whose numbers can't be read, and two that aren't ours."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    mails = rewritten(release, tmp_path / "mails", lambda card: card["prefloop"].update(task="Sorts support mails."))
    broken = rewritten(release, tmp_path / "broken", lambda card: card["prefloop"].update(headline="great"))
    byhand = rewritten(release, tmp_path / "byhand", lambda card: card.pop("prefloop"))
    other = rewritten(release, tmp_path / "other", lambda card: card.update(tags=["dpo"]))
    api = local_hub.api()
    folders = {"replies": release, "mails": mails, "secret": mails, "broken": broken, "byhand": byhand, "other": other}
    for name, folder in folders.items():
        api.create_repo(f"acme/{name}", private=name == "secret")
        api.upload_folder(repo_id=f"acme/{name}", folder_path=folder)
    api.create_tag("acme/replies", tag="v9")
    api.create_tag("acme/replies", tag="v10")
    return local_hub


def weights_asked_for(hub: Any, since: int) -> list[str]:
    return [row["line"] for row in hub.requests()[since:] if re.search(r"safetensors|tokenizer|/s3/", row["line"])]


def test_an_organisations_releases_are_found_by_words(hub: Any, call: Callable[..., Done]) -> None:
    before = len(hub.requests())
    done = call("search", "classify support mails", "--author", "acme", "--json", environment=hub.environment)
    assert done.code == 0, done.err
    found = done.found
    assert [(hit["name"], hit["private"]) for hit in found["hits"]] == [("acme/mails", False), ("acme/secret", True)]
    assert found["read"] == 3
    assert [(one["by"], one["names"]) for one in found["left_out"]] == [
        ("the words (it has none of them)", ["acme/replies"])
    ]
    unread = {row["where"]: row["reason"] for row in found["unread"]}
    assert set(unread) == {"acme/broken", "acme/byhand"}
    assert "prefloop.headline" in unread["acme/broken"]
    assert "no key prefloop" in unread["acme/byhand"]
    assert weights_asked_for(hub, before) == []
    asked = [row["line"] for row in hub.requests()[before:] if "/resolve/" in row["line"]]
    assert asked
    assert all("README.md" in line for line in asked)


def test_a_hit_says_what_was_measured_and_where_it_lies(
    hub: Any, call: Callable[..., Done], evidence: Evidence
) -> None:
    found = call("search", "question", "--author", "acme", "--json", environment=hub.environment).found
    hit = next(hit for hit in found["hits"] if hit["name"] == "acme/replies")
    tuned = evidence.report.preference.normalised.tuned
    assert hit["headline"]["value"] == pytest.approx(tuned.value, abs=1e-4)
    assert hit["headline"]["low"] == pytest.approx(tuned.low, abs=1e-4)
    assert (hit["headline"]["n"], hit["verdict"], hit["licence"]) == (tuned.n, "better", "mit")
    assert (hit["release"], hit["where"], len(hit["revision"])) == ("v10", f"{hub.url}/acme/replies", 40)
    shown = call("search", "question", "--author", "acme", environment=hub.environment).out
    assert f"0.731 (95% interval 0.631 to 0.831, n = {tuned.n})" in shown
    assert f"{hub.url}/acme/replies" in shown


def test_without_a_token_private_releases_are_not_there(hub: Any, call: Callable[..., Done]) -> None:
    environment = hub.environment | {"HF_TOKEN": "", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    done = call("search", "mails", "--author", "acme", "--json", environment=environment)
    assert [hit["name"] for hit in done.found["hits"]] == ["acme/mails"]


def test_filters_count_whom_they_leave_out(hub: Any, call: Callable[..., Done]) -> None:
    filters = ("--license", "mit", "--language", "en", "--min-score", "sealed_preference=0.7")
    done = call("search", "--author", "acme", *filters, environment=hub.environment)
    assert done.code == 0
    assert done.out == ""
    # 0.731 is more than 0.7, and its interval begins at 0.631.
    assert "3 of 3 left out by --min-score sealed_preference=0.7 (lower end of the interval)" in done.err
    assert "2 more could not be read:" in done.err
    enough = call("search", "--author", "acme", "--min-score", "sealed_preference=0.63", environment=hub.environment)
    assert enough.out.count("95% interval") == 3


def test_a_token_that_is_no_good_is_one_sentence(hub: Any, call: Callable[..., Done]) -> None:
    done = call("search", "x", "--author", "acme", environment=hub.environment | {"HF_TOKEN": hub.expired_token})
    assert done.code == 2
    assert "token" in done.err
    assert "Traceback" not in done.err
    assert hub.expired_token not in done.err + done.out


def test_a_catalogue_of_an_organisation_has_cards_and_no_weights(
    hub: Any, call: Callable[..., Done], tmp_path: Path
) -> None:
    before = len(hub.requests())
    build = ("catalogue", "build", "--author", "acme", "--title", "Acme")
    done = call(*build, "--out", "site", environment=hub.environment)
    assert done.code == 0, done.err
    assert "left out: 1 private (acme/secret)" in done.err
    assert "left out: acme/broken" in done.err
    assert sorted(path.name for path in (tmp_path / "site" / "models").iterdir()) == [
        "acme-mails.html", "acme-replies.html",
    ]  # fmt: skip
    page = (tmp_path / "site" / "models" / "acme-replies.html").read_text()
    assert "0.631 to 0.831" in page
    assert f"{hub.url}/acme/replies/blob/" in page
    assert weights_asked_for(hub, before) == []
    call(*build, "--out", "again", environment=hub.environment)
    sites = [
        {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        for site in (tmp_path / "site", tmp_path / "again")
    ]
    assert sites[0] == sites[1]
    assert "secret" not in "".join(sites[0])
    call(*build, "--out", "again", "--private", environment=hub.environment)
    assert (tmp_path / "again" / "models" / "acme-secret.html").exists()


def test_a_card_edited_on_the_hub_is_not_shown_as_evidence(hub: Any, call: Callable[..., Done], tmp_path: Path) -> None:
    text = (tmp_path / "mails" / "README.md").read_text()
    hub.api().upload_file(
        repo_id="acme/mails", path_in_repo="README.md", path_or_fileobj=text.replace("0.731", "0.999").encode()
    )
    done = call("catalogue", "build", "--author", "acme", environment=hub.environment)
    assert "left out: acme/mails" in done.err
    assert "not the file that was released" in done.err
    assert [path.name for path in (tmp_path / "site" / "models").iterdir()] == ["acme-replies.html"]


def test_folders_are_searched_without_any_hub(call: Callable[..., Done], release: Path, tmp_path: Path) -> None:
    done = call("search", "answer questions", "--json")
    assert [hit["where"] for hit in done.found["hits"]] == ["runs/replies/release"]
    built = call("catalogue", "build")
    assert built.code == 0, built.err
    assert built.out.strip() == "site/index.html"
    pages = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert len(pages) == 2
    assert not any(str(tmp_path) in page or "runs/replies" in page for page in pages)


def test_an_older_release_without_the_block_is_read_from_its_report(release: Path, tmp_path: Path) -> None:
    older = read_folder(rewritten(release, tmp_path / "older", lambda card: card.pop("prefloop"))).block
    newer = read_folder(release).block
    # What the report alone can't tell, and the fixture's report is of another base.
    known = {"parameters": newer.parameters, "base_sha256": newer.base_sha256}
    assert older.model_copy(update=known) == newer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "x", "--min-score", "good"), "task_check=0.7"),
        (("search", "x", "--max-size", "small"), "500M or 1.7B"),
        (("search", "x", "--runs", "nowhere"), "nowhere is no folder"),
        (("search", "x"), "runs is no folder"),
        (("catalogue", "build", "--runs", "nowhere"), "nowhere is no folder"),
    ],
)
def test_what_cant_be_done_is_one_sentence(call: Callable[..., Done], arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err

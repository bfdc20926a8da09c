"""A release is whole, tells nothing of this machine, and replaces only its like.

That others' code loads it: test_serving.py, and with the real model e2e/test_publish.py.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prefloop.errors import Problems, UserError
from prefloop.publish import Evidence, PublishSettings, Release, read_release, write_release
from prefloop.train import read_adapter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "release"


@pytest.fixture
def release(folder: Path, evidence: Evidence, report_html: Path) -> Release:
    return write_release(folder, evidence, PublishSettings(license="mit"), report_html=report_html)


def test_the_folder_holds_what_the_hub_needs_and_nothing_more(release: Release, folder: Path) -> None:
    documents = {"README.md", "data.json", "prefloop.json", "recipe.json", "report.html", "report.json"}
    weights = {"adapter_config.json", "adapter_model.safetensors"}
    tokenizer = {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}
    assert set(release.files) == documents | weights | tokenizer | {".eval_results/tiny-run.yaml", "plots/results.png"}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *release.files,
        "release.json",
    }
    assert {path.name for path in folder.parent.iterdir()} == {"report.html", "release"}


def test_nothing_of_this_machine_and_no_text_of_the_data_is_in_it(
    release: Release, tmp_path: Path, base_folder: Path
) -> None:
    told = [str(tmp_path), str(base_folder.parent), str(Path.home()), "/data/"]
    for path in (path for path in release.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert [place for place in told if place.encode() in content] == [], path
    assert "secret" not in (release.folder / "data.json").read_text()
    assert json.loads((release.folder / "recipe.json").read_text())["collect"]["items"] == "items.jsonl"
    assert json.loads((release.folder / "report.json").read_text())["how"]["settings"]["general"]["data"] == "arc.jsonl"
    assert json.loads((release.folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"


@pytest.mark.parametrize("secret", ["sesame-open-42", "hf_" + "a" * 34])
def test_a_secret_stops_the_release(
    secret: str, folder: Path, evidence: Evidence, report_html: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sesame-open-42")
    report_html.write_text(f"<p>{secret}</p>")
    with pytest.raises(Problems) as caught:
        write_release(folder, evidence, PublishSettings(), report_html=report_html)
    assert "report.html" in str(caught.value)
    assert secret not in str(caught.value)
    assert not folder.exists()


def test_lineage_leads_back_to_votes(release: Release, evidence: Evidence) -> None:
    data = json.loads((release.folder / "data.json").read_text())
    assert {row["id"] for row in data["training"]} == {pair.id for pair in evidence.training}
    assert {vote for row in data["training"] for vote in row["vote_ids"]} == {
        vote for pair in evidence.training for vote in pair.vote_ids
    }
    assert data["trained_on_sha256"] == evidence.adapter.data_sha256
    assert read_adapter(release.folder).data_sha256 == evidence.adapter.data_sha256
    assert release.trained_sha256 == evidence.adapter.sha256


def test_eval_results_carry_value_interval_and_how(release: Release, evidence: Evidence) -> None:
    from huggingface_hub import parse_eval_result_entries

    rows = yaml.safe_load((release.folder / ".eval_results/tiny-run.yaml").read_text())
    entries = {entry.task_id: entry for entry in parse_eval_result_entries(rows)}
    assert set(entries) == {"sealed_preference", "sealed_preference_reward", "task_check", "win_rate", "general"}
    assert entries["sealed_preference"].value == 0.731
    assert entries["general"].value == 0.22
    notes = entries["sealed_preference"].notes or ""
    assert "95% interval 0.631 to 0.831" in notes
    assert "bootstrap over 41 prompts" in notes
    assert "not a data set on the Hub" in notes


def test_a_release_reads_back_and_a_changed_file_is_noticed(release: Release) -> None:
    assert read_release(release.folder) == release
    (release.folder / "report.json").write_text("{}")
    with pytest.raises(UserError, match=r"report\.json"):
        read_release(release.folder)


def test_an_earlier_release_is_replaced_and_a_foreign_folder_is_not(
    folder: Path, evidence: Evidence, report_html: Path
) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a release"):
        write_release(folder, evidence, PublishSettings(), report_html=report_html)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]

    (folder / "thesis.txt").unlink()
    write_release(folder, evidence, PublishSettings(merged=True), report_html=report_html)
    again = write_release(folder, evidence, PublishSettings(), report_html=report_html)
    assert not (folder / "merged").exists()
    assert read_release(folder) == again


def test_what_a_kill_left_half_written_is_cleared_away(folder: Path, evidence: Evidence, report_html: Path) -> None:
    half = folder.with_name(".release.partial")
    half.mkdir(parents=True)
    (half / "README.md").write_text("half")
    release = write_release(folder, evidence, PublishSettings(), report_html=report_html)
    assert not half.exists()
    assert (release.folder / "README.md").read_text() != "half"


def test_numbers_of_another_model_are_refused(folder: Path, evidence: Evidence, report_html: Path) -> None:
    tuned = replace(evidence.report.tuned, sha256="f" * 64)
    wrong = [
        (replace(evidence, report=replace(evidence.report, tuned=tuned)), "report is about the adapter"),
        (replace(evidence, base=replace(evidence.base, sha256="e" * 64)), "another base"),
        (replace(evidence, training=evidence.training[1:]), "other pairs"),
        (replace(evidence, sealed=evidence.training[:1]), "sealed prompts"),
    ]
    for bad, message in wrong:
        with pytest.raises(UserError, match=message):
            write_release(folder, bad, PublishSettings(), report_html=report_html)
    assert not folder.exists()

import base64
import hashlib
import json
import re
import struct

import pytest
from prefloop.errors import UserError
from prefloop.evaluate.standings import (
    Reading,
    cast_vote,
    read_entries,
    read_votes,
    render_standings,
    waiting,
    write_standings,
)
from prefloop.evaluate.standings.page import interval, size_group, size_words
from prefloop.evaluate.standings.size import parameters

from .conftest import HOSTILE


def test_a_run_gives_a_line_for_the_tuned_model_and_one_for_its_base(make_run, report):
    standing = read_entries([make_run("tickets", gate=True)])
    tuned, base = sorted(standing.entries, key=lambda entry: entry.role, reverse=True)
    assert (tuned.name, tuned.role, tuned.task, tuned.licence, tuned.gate) == (
        "tickets",
        "tuned",
        "tickets",
        "mit",
        True,
    )
    assert (base.name, base.role, base.licence, base.gate) == ("small/base-135M", "base", "apache-2.0", None)
    assert base.size == tuned.size == 135_000_000
    scores = {score.column: score for score in tuned.scores}
    assert scores["Preference"].value == pytest.approx(100 * report.preference.normalised.tuned.value)
    assert scores["Wins against its base"].value == 100
    assert "Wins against its base" not in {score.column for score in base.scores}


def test_benchmarks_join_every_line_of_their_model(make_run, make_benchmarks):
    runs = [make_run("one", tuned="56" * 32), make_run("two", tuned="78" * 32)]
    standing = read_entries([*runs, make_benchmarks("b.json", {"IFEval": 31.5})])
    bases = [entry for entry in standing.entries if entry.role == "base"]
    assert len(standing.entries) == 4
    assert {entry.task for entry in bases} == {"one", "two"}
    assert all(Reading("IFEval", 31.5, 26.5, 36.5, 50) in entry.scores for entry in bases)
    assert "IFEval" in standing.columns
    alone = read_entries([make_benchmarks("c.json", {"BBH": 3.0}, name="other/model", sha256="9a" * 32)])
    assert [(entry.role, entry.task) for entry in alone.entries] == [("model", "")]


def test_the_newest_score_of_a_column_counts(make_benchmarks):
    files = [make_benchmarks("a.json", {"BBH": 3.0, "MuSR": 1.0}), make_benchmarks("b.json", {"BBH": 4.0})]
    (entry,) = read_entries(files).entries
    assert {score.column: score.value for score in entry.scores} == {"BBH": 4.0, "MuSR": 1.0}


def test_own_scores_of_different_tasks_never_share_a_line(make_run, tmp_path):
    runs = [make_run("one"), make_run("two")]
    for run in runs:
        (run / "recipe.json").unlink()
    assert len(read_entries(runs).entries) == 4


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_entries([tmp_path])
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(UserError, match="no benchmark results"):
        read_entries([tmp_path / "x.json"])


def test_a_report_with_hardly_anything_in_it_is_a_line(tmp_path):
    (tmp_path / "report.json").write_text(
        json.dumps({"preference": {"normalised": {"tuned": {"value": float("nan")}}}})
    )
    standing = read_entries([tmp_path])
    assert {entry.role for entry in standing.entries} == {"base", "tuned"}
    assert standing.columns == ()
    assert render_standings(standing)


def test_hostile_names_are_text(make_run, make_benchmarks, tmp_path):
    run = make_run("x", base=HOSTILE, licence=HOSTILE)
    (run / "recipe.json").write_text(json.dumps({"name": HOSTILE + "\u202e", "publish": {"license": HOSTILE}}))
    cast_vote(tmp_path / "v.jsonl", HOSTILE, HOSTILE)
    standing = read_entries([run, make_benchmarks("b.json", {HOSTILE: 1.0}, name=HOSTILE)])
    page = render_standings(standing, read_votes(tmp_path / "v.jsonl"))
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "\u202e" not in page


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(make_run):
    page = render_standings(read_entries([make_run("x")]))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1).replace("&#39;", "'")
    for kind in ("script", "style"):
        text = re.search(rf"<{kind}>(.*?)</{kind}>", page, flags=re.S).group(1)
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", page)


def test_everything_stands_as_json_beside_the_page(make_run, tmp_path):
    standing = read_entries([make_run("x")])
    page, beside = write_standings(tmp_path / "out" / "board.html", standing)
    assert page.read_text().startswith("<!doctype html>")
    written = json.loads(beside.read_text())
    assert beside.name == "board.json"
    assert [entry["name"] for entry in written["entries"]] == [entry.name for entry in standing.entries]
    assert written["columns"] == list(standing.columns)


def test_votes_count_once_a_person_and_stand_in_order(tmp_path):
    path = tmp_path / "votes.jsonl"
    assert cast_vote(path, "a", "ada")
    assert cast_vote(path, "b", "ada")
    assert cast_vote(path, " b ", "bob")
    assert not cast_vote(path, "b", "bob")
    requests = read_votes(path)
    assert [(request.name, request.by) for request in requests] == [("b", ("ada", "bob")), ("a", ("ada",))]
    assert [request.name for request in waiting(requests, {"b"})] == ["a"]
    assert read_votes(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("name", "by"), [("", "ada"), ("x", " "), ("x\ny", "ada"), ("x" * 201, "ada"), ("x\u202ey", "a")]
)
def test_votes_that_are_no_single_line_are_refused(tmp_path, name, by):
    with pytest.raises(UserError, match="one line"):
        cast_vote(tmp_path / "votes.jsonl", name, by)


def test_a_file_that_holds_no_votes_is_named(tmp_path):
    path = tmp_path / "votes.jsonl"
    for text in ('{"name": "a"}\n', "no\n", "[1]\n"):
        path.write_text(text)
        with pytest.raises(UserError, match="no vote"):
            read_votes(path)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135_000_000),
        ("Qwen/Qwen2.5-0.5B", 500_000_000),
        ("org/model-7b-chat", 7_000_000_000),
        ("mistral-7B-v0.3", 7_000_000_000),
        ("gpt2", None),
        ("v1.5", None),
        ("", None),
    ],
)
def test_sizes_are_what_names_say(name, size):
    assert parameters(name) == size


def test_sizes_are_counted_where_there_are_files(tmp_path):
    folder = tmp_path / "model-7B"
    folder.mkdir()
    header = {"__metadata__": {}, "w": {"dtype": "F32", "shape": [3, 4]}, "b": {"dtype": "F32", "shape": [5]}}
    raw = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw)
    assert parameters(str(folder)) == 17
    (folder / "model.safetensors").write_bytes(b"no safetensors at all")
    assert parameters(str(folder)) == 7_000_000_000


def test_sizes_and_intervals_in_words_and_pixels():
    assert [size_words(size) for size in (135_000_000, 1_700_000_000, None)] == ["135M", "1.7B", ""]
    assert [size_group(size) for size in (5, 10**9, 9 * 10**9, None)] == [
        "under 1B",
        "1B to 3B",
        "8B and more",
        "unknown",
    ]
    assert interval(Reading("x", 50.0, -20.0, 100.0)) == {"low": 4, "high": 80, "value": 42}

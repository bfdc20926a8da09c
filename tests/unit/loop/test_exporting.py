"""The data set folder: complete, sealed prompts and names kept back, and the same bytes for the same votes."""

import json
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import yaml
from prefloop.collect import make_pairs, read_items, read_pairs, read_sealed, read_votes, write_rows
from prefloop.collect.data_card import COLUMNS, ExportSettings
from prefloop.collect.sources import Options, import_table
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes, export_run
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run

PREFLOOP = Path(sys.executable).with_name("prefloop")
SETTINGS = ExportSettings("first replies", "Drafts the first reply.", "cc-by-4.0", ("en",), items=True)


@pytest.fixture
def recipe(tmp_path):
    """The demonstration's recipe, with an edit and a critique among its votes."""
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        recipe = load_recipe(path)
    votes = [
        replace(vote, edit=f"Team: product\nReply: A better one, {place}.", critique="Too long.")
        if place % 20 == 0
        else vote
        for place, vote in enumerate(read_votes(recipe.collect.votes))
    ]
    write_rows(tmp_path / "votes.jsonl", votes)
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"votes": tmp_path / "votes.jsonl"})})


@pytest.fixture
def run(tmp_path, recipe):
    opened = open_run(tmp_path / "run", resolved(recipe))
    adopt_votes(opened, recipe)
    return opened


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(folder, part):
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().split("\n") if line]


def test_the_folder_loads_as_a_data_set_with_every_pair_and_its_votes(tmp_path, run, recipe):
    from datasets import load_dataset

    exported = export_run(run, recipe, tmp_path / "data", SETTINGS)
    pairs = read_pairs(run.folder / "collect" / "pairs.jsonl")
    parts = {
        part: load_dataset(str(exported.folder), part, split="train", cache_dir=str(tmp_path / "cache"))
        for part in ("pairs", "votes", "items")
    }
    assert {part: data.num_rows for part, data in parts.items()} == exported.rows
    assert {(row["id"], row["kind"]) for row in parts["pairs"]} == {(pair.id, pair.kind) for pair in pairs}
    assert {row["kind"] for row in parts["pairs"]} == {"vote", "edit_over_chosen", "edit_over_rejected"}
    votes = {row["id"] for row in parts["votes"]}
    assert all(set(row["vote_ids"]) <= votes for row in parts["pairs"])
    assert list(parts["pairs"].features) == list(COLUMNS["pairs"])
    assert parts["pairs"][0]["chosen"][0]["role"] == "assistant"
    # By default, the pairs are what one gets.
    plain = load_dataset(str(exported.folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert plain.column_names == parts["pairs"].column_names


def test_what_was_exported_can_be_imported_again(tmp_path, run, recipe):
    exported = export_run(run, recipe, tmp_path / "data", SETTINGS)
    back = import_table(str(exported.folder), Options(config="pairs", columns={"vote": "id"}))
    said = {(pair.prompt, pair.chosen, pair.rejected) for pair in make_pairs(back.items, back.votes).pairs}
    pairs = read_pairs(run.folder / "collect" / "pairs.jsonl")
    assert said == {(pair.prompt, pair.chosen, pair.rejected) for pair in pairs}
    assert back.refused == {}


def test_no_sealed_prompt_is_in_any_part(tmp_path, run, recipe):
    exported = export_run(run, recipe, tmp_path / "data", SETTINGS)
    sealed = read_sealed(run.folder / "collect" / "sealed.json")
    held_back = [item for item in read_items(recipe.collect.items) if sealed.side(item) != "training"]
    assert len(held_back) > 10
    text = b"".join(written(exported.folder).values()).decode()
    for item in held_back:
        assert item.id not in text
        assert item.prompt_id not in text
        assert json.dumps(item.prompt[-1].content, ensure_ascii=False) not in text
    assert exported.left_out["items with prompts that are sealed or near a sealed one"] == len(held_back)


def test_annotators_appear_by_pseudonym_only(tmp_path, run, recipe):
    exported = export_run(run, recipe, tmp_path / "data", SETTINGS)
    text = b"".join(written(exported.folder).values()).decode()
    names = {vote.annotator for vote in read_votes(recipe.collect.votes)}
    assert not [name for name in names if name in text]
    assert len({row["annotator"] for row in rows(exported.folder, "votes")}) == len(names)
    [edit, *_] = [row for row in rows(exported.folder, "pairs") if row["kind"] != "vote"]
    assert edit["origin_chosen"]["kind"] == "person"
    assert edit["origin_chosen"]["name"].startswith("annotator-")
    key = run.folder / "collect" / "annotator_key"
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text().strip() not in text


def test_the_same_votes_give_the_same_bytes_whatever_their_order(tmp_path, run, recipe):
    first = export_run(run, recipe, tmp_path / "one", SETTINGS)
    collected = run.folder / "collect"
    for name, read in (("votes.jsonl", read_votes), ("pairs.jsonl", read_pairs), ("items.jsonl", read_items)):
        lines = read(collected / name)
        random.Random(7).shuffle(lines)
        write_rows(collected / name, lines)
    second = export_run(run, recipe, tmp_path / "two", SETTINGS)
    assert written(first.folder) == written(second.folder)
    assert first.version == second.version


def test_a_changed_vote_or_licence_is_another_version_and_nothing_is_overwritten(tmp_path, run, recipe):
    first = export_run(run, recipe, tmp_path / "data", SETTINGS)
    assert export_run(run, recipe, tmp_path / "data", SETTINGS).already_there
    before = written(first.folder)
    with pytest.raises(UserError, match=f"holds version {first.version}"):
        export_run(run, recipe, tmp_path / "data", replace(SETTINGS, license="mit"))
    collected = run.folder / "collect" / "votes.jsonl"
    shown = {row["id"] for row in rows(first.folder, "votes")}
    votes = read_votes(collected)
    place = next(place for place, vote in enumerate(votes) if vote.id in shown)
    votes[place] = replace(votes[place], critique="changed")
    write_rows(collected, votes)
    assert export_run(run, recipe, tmp_path / "other", SETTINGS).version != first.version
    assert written(first.folder) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        export_run(run, recipe, tmp_path / "mine", SETTINGS)


def test_a_sealed_pair_among_the_training_pairs_stops_the_export(tmp_path, run, recipe):
    collected = run.folder / "collect"
    [leak, *_] = read_pairs(collected / "sealed_pairs.jsonl")
    pairs = read_pairs(collected / "pairs.jsonl")
    write_rows(collected / "pairs.jsonl", [*pairs, replace(leak, sealed=False)])
    with pytest.raises(Problems, match=leak.id):
        export_run(run, recipe, tmp_path / "data", SETTINGS)
    assert not (tmp_path / "data").exists()


def test_the_card_says_licence_protocol_agreement_and_what_was_left_out(tmp_path, run, recipe):
    exported = export_run(run, recipe, tmp_path / "data", SETTINGS)
    head, body = (exported.folder / "README.md").read_text().removeprefix("---\n").split("\n---\n", 1)
    told = yaml.safe_load(head)
    assert (told["license"], told["language"], told["size_categories"]) == ("cc-by-4.0", ["en"], ["n<1K"])
    assert [config["config_name"] for config in told["configs"]] == ["pairs", "votes", "items"]
    assert recipe.collect.guidelines.read_text().strip() in body
    assert exported.version in body
    assert "Krippendorff's alpha is" in body
    for what, count in exported.left_out.items():
        assert f"- {count} {what}" in body
    lineage = json.loads((exported.folder / "lineage.json").read_text())
    assert lineage["version"] == exported.version
    assert lineage["sha256"].keys() == {"pairs.jsonl", "votes.jsonl", "items.jsonl"}


def prefloop(folder, *arguments):
    done = subprocess.run(
        [PREFLOOP, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PREFLOOP_HOME": str(folder / "home"), "PYTHONHASHSEED": str(random.randrange(1000))},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA is not set")
def test_pandalm_from_its_file_to_a_data_set_by_the_command_line(tmp_path):
    source = Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences" / "pandalm_testset_v1.json.gz"
    imported = prefloop(tmp_path, "collect", "import", "pandalm", source, "--out", "data/pandalm", "--json")
    assert imported.returncode == 0, imported.stderr
    counts = json.loads(imported.stdout)
    assert (counts["rows"], counts["items"], counts["votes"], counts["refused"]) == (999, 999, 2997, {})
    (tmp_path / "recipe.yaml").write_text(
        "name: pandalm\ntask: Answers instructions as three people prefer it.\n"
        "collect: {items: data/pandalm/items.jsonl, votes: data/pandalm/votes.jsonl, guidelines: none.md, queue: q}\n"
    )
    adopted = prefloop(tmp_path, "collect", "adopt", "recipe.yaml", "--json")
    assert adopted.returncode == 0, adopted.stderr
    summary = json.loads(adopted.stdout)
    assert sum(summary["outcomes"].values()) == 999
    decided = summary["outcomes"]["A"] + summary["outcomes"]["B"]
    assert decided == 999 - sum(len(ids) for ids in summary["left_out"].values())
    assert 0 < summary["training_pairs"] < decided
    export = ("collect", "export", "recipe.yaml", "--license", "apache-2.0")
    for folder in ("one", "two"):
        done = prefloop(tmp_path, *export, "--to", folder)
        assert done.returncode == 0, done.stderr
    assert written(tmp_path / "one") == written(tmp_path / "two")
    assert len(rows(tmp_path / "one", "pairs")) == summary["training_pairs"]
    assert "pandalm_testset_v1.json.gz" in (tmp_path / "one" / "lineage.json").read_text()
    again = prefloop(tmp_path, "collect", "import", "pandalm", source, "--out", "data/pandalm")
    assert (again.returncode, "overwrites nothing" in again.stderr) == (2, True)
    assert prefloop(tmp_path, "collect", "export", "recipe.yaml", "--to", "three").returncode == 2  # no licence


def test_an_import_that_takes_nothing_or_has_no_licence_writes_nothing(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"prompt": "p", "response_a": "a", "response_b": "b", "label": "A"}\n')
    unlicensed = prefloop(tmp_path, "collect", "import", "table", "t.jsonl", "--out", "out")
    assert (unlicensed.returncode, "--license" in unlicensed.stderr) == (2, True)
    (tmp_path / "bad.jsonl").write_text("{}\n")
    nothing = prefloop(tmp_path, "collect", "import", "table", "bad.jsonl", "--out", "out", "--license", "mit")
    assert (nothing.returncode, "no row could be taken" in nothing.stderr) == (2, True)
    wrong = prefloop(tmp_path, "collect", "import", "table", "t.jsonl", "--out", "out", "--map", "label")
    assert (wrong.returncode, "ours=theirs" in wrong.stderr) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "t.jsonl"]


def test_the_help_names_every_kind_of_source(tmp_path):
    from prefloop.collect.sources import KINDS

    shown = prefloop(tmp_path, "collect", "import", "--help").stdout
    assert [kind for kind in [*KINDS, "argilla"] if not re.search(rf"^ +{kind}  ", shown, flags=re.M)] == []

"""What `collect check` says of items, and what `collect.pii` does at a push and at a pull."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import prefloop
import pytest
from prefloop.collect import Message, read_items, read_votes, write_rows
from prefloop.collect.data_card import ExportSettings
from prefloop.errors import Problems
from prefloop.loop import adopt_votes, check_items, export_run
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json

DEMO = Path(prefloop.__path__[0]) / "recipes/demo"
PREFLOOP = Path(sys.executable).with_name("prefloop")
SECRET = "ada.lovelace@example.org"


@pytest.fixture
def dirty(tmp_path):
    """The demonstration's items, and three more: a near-duplicate, an evaluation question, an e-mail address."""
    items = read_items(DEMO / "items.jsonl")

    def asking(text):
        return replace(items[0], prompt=(items[0].prompt[0], Message("user", text)))

    question = json.loads((DEMO / "general.jsonl").read_text().split("\n")[2])["question"]
    more = [asking(items[1].prompt[1].content.upper()), asking(question), asking(f"I am {SECRET}, hi there!")]
    write_rows(tmp_path / "items.jsonl", [*items, *more])
    return tmp_path / "items.jsonl", [item.id for item in more]


def check(*arguments):
    done = subprocess.run(
        [PREFLOOP, "collect", "check", DEMO / "recipe.yaml", *arguments], capture_output=True, text=True, check=False,
        env=os.environ | {"COLUMNS": "160"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_demonstrations_items_are_clean():
    checked = check_items(load_recipe(DEMO / "recipe.yaml", ["collect.pii=block"]))
    assert (checked.items, checked.prompts, checked.clusters, checked.overlaps) == (240, 161, (), ())
    assert checked.personal == ()


def test_the_command_shows_what_a_push_would_stop_at_and_no_secret(dirty):
    path, (_, question, personal) = dirty
    done = check("--set", f"collect.items={path}", "--set", "collect.pii=flag")
    assert done.returncode == 1
    assert question in done.stdout
    assert "general.jsonl" in done.stdout
    assert personal in done.stdout
    assert "e-mail address" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    told = json.loads(check("--set", f"collect.items={path}", "--json").stdout)
    assert [len(members) for members in told["clusters"]] == [2]
    assert [row["id"] for row in told["overlaps"]] == [question]
    assert told["personal"] is None


def test_personal_data_stops_a_push_or_is_listed(dirty, tmp_path, caplog):
    path, (_, _, personal) = dirty
    settings = ["collect.decontaminate.action=drop", f"collect.items={path}"]
    blocked = load_recipe(DEMO / "recipe.yaml", [*settings, "collect.pii=block"])
    run = open_run(tmp_path / "run", resolved(blocked))
    with pytest.raises(Problems, match=r"1 items hold personal data or secrets \(e-mail address\)") as refused:
        adopt_votes(run, blocked)
    assert f"{personal} prompt: e-mail address" in str(refused.value)
    assert not (run.folder / "collect/items.jsonl").exists()
    flagged = load_recipe(DEMO / "recipe.yaml", [*settings, "collect.pii=flag"])
    adopt_votes(open_run(run.folder, resolved(flagged)), flagged)
    assert [row["id"] for row in read_json(run.folder / "collect/personal.json")["items"]] == [personal]
    assert "1 items hold personal data" in caplog.text
    assert SECRET not in str(refused.value) + caplog.text + (run.folder / "collect/personal.json").read_text()


def test_what_annotators_wrote_is_looked_at_and_their_votes_are_kept(tmp_path):
    votes = read_votes(DEMO / "votes.jsonl")
    wrote = replace(votes[3], critique=f"Send it to {SECRET}.")
    write_rows(tmp_path / "votes.jsonl", [*votes[:3], wrote, *votes[4:]])
    recipe = load_recipe(DEMO / "recipe.yaml", [f"collect.votes={tmp_path / 'votes.jsonl'}", "collect.pii=block"])
    run = open_run(tmp_path / "run", resolved(recipe))
    with pytest.raises(Problems, match=f"{wrote.id} critique: e-mail address"):
        adopt_votes(run, recipe)
    assert len(read_votes(run.folder / "collect/votes.jsonl")) == len(votes)
    assert not (run.folder / "collect/pairs.jsonl").exists()


def test_a_setting_that_came_after_the_pull_still_holds_back_the_export(tmp_path):
    votes = read_votes(DEMO / "votes.jsonl")
    wrote = replace(votes[3], critique=f"Send it to {SECRET}.")
    write_rows(tmp_path / "votes.jsonl", [*votes[:3], wrote, *votes[4:]])
    overrides = [f"collect.votes={tmp_path / 'votes.jsonl'}"]
    recipe = load_recipe(DEMO / "recipe.yaml", overrides)
    run = open_run(tmp_path / "run", resolved(recipe))
    adopt_votes(run, recipe)
    stricter = load_recipe(DEMO / "recipe.yaml", [*overrides, "collect.pii=block"])
    card = ExportSettings("first replies", "Drafts the first reply.", "cc-by-4.0", ("en",))
    with pytest.raises(Problems, match=f"{wrote.id} critique: e-mail address"):
        export_run(open_run(run.folder, resolved(stricter)), stricter, tmp_path / "data", card)
    assert not (tmp_path / "data").exists()

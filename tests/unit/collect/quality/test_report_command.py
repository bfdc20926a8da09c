"""The command over a run whose votes were adopted: no server takes part."""

import json

import pytest
import yaml
from prefloop.cli import app
from prefloop.collect import write_rows
from typer.testing import CliRunner


@pytest.fixture
def run(simulate, honest, tmp_path):
    items, votes = simulate(honest | {"lea": "left-clicker"}, 100)
    write_rows(tmp_path / "items.jsonl", items)
    write_rows(tmp_path / "votes.jsonl", votes)
    (tmp_path / "guidelines.md").write_text("Pick the better answer.")
    collect = {"items": "items.jsonl", "votes": "votes.jsonl", "guidelines": "guidelines.md", "queue": "replies"}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"name": "adopted", "task": "First replies to customers.", "collect": collect}))
    return recipe, tmp_path / "run"


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_report_is_written_and_says_whom_to_talk_to(run):
    recipe, folder = run
    assert call("collect", "adopt", recipe, "--run", folder).exit_code == 0
    told = call("collect", "report", recipe, "--run", folder, "--set", "collect.price_per_hour=20")
    assert told.exit_code == 0, told.output
    assert "Talk to lea" in told.output
    numbers = json.loads((folder / "collect" / "quality.json").read_text())
    assert numbers["verdict"] == "almost"
    assert numbers["ledger"]["per_pair"] > 0
    disputes = [json.loads(line) for line in (folder / "collect" / "disputes.jsonl").read_text().splitlines()]
    assert [row["item_id"] for row in disputes] == [row["item_id"] for row in numbers["disputes"]]
    assert "lea" in (folder / "collect" / "quality.html").read_text()


def test_pseudonyms_leave_no_name_behind(run):
    recipe, folder = run
    call("collect", "adopt", recipe, "--run", folder)
    told = call("collect", "report", recipe, "--run", folder, "--pseudonyms", "--json")
    assert told.exit_code == 0, told.output
    written = "".join((folder / "collect" / name).read_text() for name in ("quality.html", "quality.json"))
    for name in ("lea", "honest-0"):
        assert f">{name}<" not in written
        assert f'"{name}"' not in written
    assert "Talk to annotator " in written


def test_another_policy_is_an_override_away_and_is_written_down(run):
    recipe, folder = run
    call("collect", "adopt", recipe, "--run", folder)
    before = json.loads((folder / "collect" / "summary.json").read_text())
    assert before["policy"]["aggregate"] == "majority"
    told = call("collect", "adopt", recipe, "--run", folder, "--set", "collect.pairs.min_probability=0.99")
    assert told.exit_code == 0, told.output
    after = json.loads((folder / "collect" / "summary.json").read_text())
    assert after["policy"]["min_probability"] == 0.99
    assert after["training_pairs"] < before["training_pairs"]
    assert after["left_out"]["below min_probability"]


def test_before_a_pull_it_says_what_comes_first(run):
    from prefloop.errors import UserError

    recipe, folder = run
    told = call("collect", "report", recipe, "--run", folder)
    assert isinstance(told.exception, UserError)
    assert "comes first" in str(told.exception)


def test_no_skill_may_take_the_adjudicators_queue(run):
    from prefloop.errors import Problems
    from prefloop.recipe import load_recipe

    with pytest.raises(Problems, match="disputed items"):
        load_recipe(run[0], ["collect.skills.adjudication.tag=hard"])

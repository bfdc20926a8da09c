"""The data set that may be published: with a licence and a consent, without names, sealed prompts and secrets."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from prefloop.collect import read_items, read_sealed, read_votes, write_rows
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes
from prefloop.loop.data_release import write_data_release
from prefloop.publish.checks.data_lint import lint_data
from prefloop.publish.data_settings import CONSENTS, DataSettings
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json
from pydantic import ValidationError


def with_data(recipe, **data):
    settings = DataSettings(**{"license": "cc-by-4.0", "consent": "agreed", "repo": "me/votes"} | data)
    return recipe.model_copy(update={"publish": recipe.publish.model_copy(update={"data": settings})})


@pytest.fixture(scope="module")
def recipe():
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        return load_recipe(path)


@pytest.fixture
def run(tmp_path, recipe):
    opened = open_run(tmp_path / "run", resolved(recipe))
    adopt_votes(opened, recipe)
    return opened


def test_the_folder_says_who_agreed_what_was_looked_for_and_how_ties_were_handled(run, recipe, tmp_path):
    written = write_data_release(run, with_data(recipe), tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text()
    for part in (
        f"Consent: {CONSENTS['agreed']}", "A scan by form", "| min_margin | 1 |",
        "Ties and two bad answers make no pair",
        'load_dataset("me/votes", "votes", split="train")', "items with prompts that are sealed",
    ):  # fmt: skip
        assert part in card, part
    assert written.rows.keys() == {"pairs", "votes", "items"}
    assert read_json(tmp_path / "data" / "lineage.json")["consent"] == CONSENTS["agreed"]


def test_nothing_sealed_and_no_name_is_in_the_folder(run, recipe, tmp_path):
    write_data_release(run, with_data(recipe), tmp_path / "data")
    text = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir()).decode()
    sealed = read_sealed(run.folder / "collect" / "sealed.json")
    held = [item for item in read_items(run.folder / "collect" / "items.jsonl") if sealed.side(item) != "training"]
    assert len(held) > 10
    for item in held:
        assert item.id not in text
        assert json.dumps(item.prompt[-1].content, ensure_ascii=False) not in text
    assert not [vote.annotator for vote in read_votes(recipe.collect.votes) if vote.annotator in text]


def test_an_earlier_release_is_replaced_and_a_foreign_folder_is_not(run, recipe, tmp_path):
    first = write_data_release(run, with_data(recipe), tmp_path / "data")
    assert write_data_release(run, with_data(recipe), tmp_path / "data").already_there
    second = write_data_release(run, with_data(recipe, items=False), tmp_path / "data")
    assert not second.already_there
    assert second.version != first.version
    assert not (tmp_path / "data" / "items.jsonl").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="will not be replaced"):
        write_data_release(run, with_data(recipe), tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine", "run"]


def test_without_a_word_on_consent_nothing_is_written(run, recipe, tmp_path):
    silent = recipe.model_copy(update={"publish": recipe.publish.model_copy(update={"data": None})})
    with pytest.raises(UserError, match="consent"):
        write_data_release(run, silent, tmp_path / "data")
    with pytest.raises(ValidationError, match="in a sentence"):
        DataSettings(license="mit", consent="yes")
    for missing in ({"license": "mit"}, {"consent": "agreed"}):
        with pytest.raises(ValidationError, match=r"missing|required"):
            DataSettings(**missing)
    said = "Our five support agents signed a form in May."
    assert DataSettings(license="mit", consent=said).consent == said
    again = DataSettings(license="mit", consent=CONSENTS["employees"])  # a resolved recipe is read again
    assert again.consent == CONSENTS["employees"]
    assert not (tmp_path / "data").exists()


def test_a_secret_among_the_votes_stops_it(run, recipe, tmp_path):
    path = run.folder / "collect" / "votes.jsonl"
    sealed = read_sealed(run.folder / "collect" / "sealed.json")
    items = {item.id: item for item in read_items(run.folder / "collect" / "items.jsonl")}
    votes = read_votes(path)
    place = next(n for n, vote in enumerate(votes) if sealed.side(items[vote.item_id]) == "training")
    votes[place] = replace(votes[place], critique="use hf_" + "a" * 34)
    write_rows(path, votes)
    with pytest.raises(Problems, match=r"votes\.jsonl holds what looks like an access token"):
        write_data_release(run, with_data(recipe), tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_personal_data_are_counted_on_the_card(run, recipe, tmp_path):
    path = run.folder / "collect" / "votes.jsonl"
    votes = [replace(vote, critique="write to ada@example.org") for vote in read_votes(path)]
    write_rows(path, votes)
    written = write_data_release(run, with_data(recipe), tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text()
    assert f"found, in {written.rows['votes']} rows: e-mail address {written.rows['votes']}." in card
    blocking = recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"pii": "block"})})
    with pytest.raises(Problems, match="e-mail"):
        write_data_release(run, with_data(blocking), tmp_path / "other")


def test_lint_finds_what_others_could_not_read(run, recipe, tmp_path):
    folder = tmp_path / "data"
    write_data_release(run, with_data(recipe), folder)
    assert lint_data(folder) == []
    (folder / "more.jsonl").write_text("{}\n")
    pairs = (folder / "pairs.jsonl").read_text().splitlines(keepends=True)
    (folder / "pairs.jsonl").write_text("".join(pairs[:-1]))
    told = "\n".join(lint_data(folder))
    assert "more.jsonl stands in no part" in told
    assert f"pairs.jsonl has {len(pairs) - 1} rows" in told
    (folder / "votes.jsonl").write_text('{"id": [1]}\n')
    assert "can't read the part votes" in "\n".join(lint_data(folder))
    (folder / "README.md").write_text("no metadata")
    assert "licence None" in "\n".join(lint_data(folder))


def test_the_recipe_says_what_is_missing(tmp_path, recipe):
    tree = resolved(recipe) | {"publish": {"data": {"license": "mit"}}}
    (tmp_path / "recipe.yaml").write_text(json.dumps(tree))
    prefloop = Path(sys.executable).with_name("prefloop")
    done = subprocess.run(
        [prefloop, "publish", tmp_path / "recipe.yaml"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert "publish.data.consent  is missing" in done.stderr

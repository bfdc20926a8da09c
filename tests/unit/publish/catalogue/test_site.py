"""The catalogue's folder: whole, the same bytes for the same releases, and never in place of something else."""

import json
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import UserError
from prefloop.publish.catalogue import Gathered, Item, write_catalogue
from prefloop.publish.catalogue.page import page_names, render_index
from prefloop.publish.finding import Block, Entry, Overlap, Score, Unread

SCORE = Score(name="as told", value=0.6, low=0.45, high=0.73, n=45, task="task_check")


def an_entry(name="acme/replies", **other):
    block = Block(
        task=other.pop("task", "Answers customers."), verdict=other.pop("verdict", "better"), confidence=0.95,
        headline=SCORE, difference=SCORE.model_copy(update={"low": -0.1}), results=(SCORE,),
        contamination=other.pop("contamination", None), parameters=other.pop("parameters", 135_000_000),
    )  # fmt: skip
    plain = {"where": "runs/private-folder", "hub": False, "base": "small/base", "licence": "mit"}
    plain |= {"languages": ("en",), "tags": ("prefloop", "mail"), "updated": "2026-02-01T00:00:00+00:00"}
    return Entry(name=name, block=block, **(plain | other))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "README.md").write_text("---\na: b\n---\n\n# name\n\n## How to load it\n\nWords.\n")
    return tmp_path / "release"


@pytest.fixture
def gathered(folder):
    entries = [
        an_entry("a", verdict="worse", contamination=Overlap(items=165, overlapping=7)),
        an_entry("b", contamination=Overlap(items=165, overlapping=0)),
        an_entry("org/c", hub=True, where="https://hub.example/org/c", revision="f00", release="v2", private=True),
    ]
    return Gathered(tuple(Item(entry, folder) for entry in entries), (Unread("/secret/folder", "broken"),), ("org/d",))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_site_has_an_index_a_page_each_and_makes_a_space(gathered, tmp_path):
    index = write_catalogue(tmp_path / "site", gathered, "Acme's: models")
    found = contents(index.parent)
    names = {"index.html", "catalogue.json", "README.md", ".nojekyll", "models/a.html", "models/b.html"}
    assert set(found) == names | {"models/org-c.html"}
    head = yaml.safe_load(found["README.md"].decode().split("---")[1])
    assert head == {
        "title": "Acme's: models", "sdk": "static", "app_file": "index.html", "pinned": False, "tags": ["prefloop"],
    }  # fmt: skip
    rows = json.loads(found["catalogue.json"])["models"]
    assert [(row["name"], row["where"], row["page"]) for row in rows] == [
        ("a", None, "models/a.html"), ("b", None, "models/b.html"),
        ("org/c", "https://hub.example/org/c", "models/org-c.html"),
    ]  # fmt: skip
    assert rows[0]["headline"] == SCORE.model_dump(mode="json")


def test_the_same_releases_give_the_same_bytes_and_nothing_is_left_behind(gathered, tmp_path):
    write_catalogue(tmp_path / "one", gathered, "Models")
    first = contents(tmp_path / "one")
    write_catalogue(tmp_path / "one", gathered, "Models")
    write_catalogue(tmp_path / "two", gathered, "Models")
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "release", "two"]


def test_no_page_names_a_folder_of_this_machine(gathered, tmp_path):
    write_catalogue(tmp_path / "site", gathered, "Models")
    everything = b"".join(contents(tmp_path / "site").values())
    assert b"secret" not in everything
    assert b"private-folder" not in everything
    assert str(tmp_path).encode() not in everything


def test_better_ones_stand_first_and_what_is_missing_is_told(gathered):
    html = render_index(gathered, "Models")
    assert re.findall(r'<a href="models/([^"]+)\.html">', html) == ["b", "org-c", "a"]
    assert "1 release that could not be read, 1 private repository" in html
    assert 'class="contaminated">contaminated: 7 of 165' in html


def test_no_score_stands_without_its_interval(gathered, tmp_path):
    write_catalogue(tmp_path / "site", gathered, "Models")
    for name, page in contents(tmp_path / "site").items():
        if name.endswith(".html"):
            assert b"0.450 to 0.730" in page
            assert b"45" in page
            assert b"interval -10 to +73" in page


@pytest.mark.parametrize("strange", ["file", "folder", "other"])
def test_what_is_no_catalogue_is_not_replaced(gathered, tmp_path, strange):
    out = tmp_path / "site"
    if strange == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "index.html").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="will not be replaced"):
        write_catalogue(out, gathered, "Models")
    assert contents(tmp_path) == before


def test_an_empty_folder_is_taken_and_models_that_went_are_gone(gathered, tmp_path):
    (tmp_path / "site").mkdir()
    write_catalogue(tmp_path / "site", gathered, "Models")
    write_catalogue(tmp_path / "site", replace(gathered, items=gathered.items[:1]), "Models")
    assert [path.name for path in (tmp_path / "site" / "models").iterdir()] == ["a.html"]


def test_nothing_to_show_and_no_title_are_mistakes(gathered, tmp_path):
    with pytest.raises(UserError, match="no release"):
        write_catalogue(tmp_path / "site", Gathered((), ()), "Models")
    with pytest.raises(UserError, match="--title"):
        write_catalogue(tmp_path / "site", gathered, " \n ")
    assert not (tmp_path / "site").exists()


def test_each_model_has_a_page_of_its_own_whatever_it_is_called(folder):
    names = ["a/b", "a-b", "A B", "../../etc/passwd", "é", "", "con.", "x" * 300]
    items = [Item(an_entry(name), folder) for name in names]
    assert page_names(items)[:6] == [
        "a-b.html", "a-b-2.html", "a-b-3.html", "etc-passwd.html", "model.html", "model-2.html",
    ]  # fmt: skip
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*\.html", name) and len(name) < 100 for name in page_names(items))


@given(st.text(), st.text())
def test_no_name_or_task_becomes_html(name, task):
    hostile = f"{name}<script>\"'"
    entry = an_entry(hostile, task=hostile + task, base=hostile, licence=hostile, languages=(hostile,), tags=(hostile,))
    html = render_index(Gathered((Item(entry, None),), ()), hostile)
    assert html.count("<script") == 1  # the page's own

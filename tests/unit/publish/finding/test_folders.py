"""Releases in folders: found where they lie, read without weights, and not believed once somebody changed them."""

import json
from contextlib import suppress
from uuid import uuid4

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefloop.errors import UserError
from prefloop.publish.finding import Filters, find_releases, read_folder, read_shelf, search


@pytest.fixture
def make(tmp_path, card, reseal):
    def write(name, *, inside="release", report=None, **changes):
        folder = tmp_path / "runs" / name / inside
        folder.mkdir(parents=True)
        head = card | {"prefloop": card["prefloop"] | changes}
        (folder / "README.md").write_text(f"---\n{yaml.safe_dump(head)}---\n\n# {name}\n\nWords.\n")
        (folder / "report.json").write_text(json.dumps(report or {}))
        (folder / "recipe.json").write_text("{}")
        reseal(folder, name=name)
        return folder

    return write


def test_a_release_is_read_from_its_card_and_report(make):
    overlap = {"benchmarks": [{"items": 45, "overlapping": {"a": "exact"}}, {"items": 120, "overlapping": {}}]}
    read = read_folder(make("mails", report={"contamination": overlap}))
    assert (read.name, read.base, read.licence, read.languages) == ("mails", "small/base-135M", "mit", ("en",))
    assert (read.block.contamination.items, read.block.contamination.overlapping) == (165, 1)
    assert read.updated == "2026-02-01T00:00:00+00:00"
    assert read.row()["prefloop"] == "0.1.0"
    json.dumps(read.row())


def test_nobody_looked_is_not_nothing_found(make):
    assert read_folder(make("mails")).block.contamination is None


@pytest.mark.parametrize("name", ["README.md", "report.json", "recipe.json"])
def test_a_file_that_was_changed_or_lost_after_the_release_is_not_believed(make, name):
    folder = make("mails")
    (folder / name).write_text((folder / name).read_text().replace("0.8", "0.9") + " ")
    with pytest.raises(UserError, match="not the file that was released"):
        read_folder(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match="missing"):
        read_folder(folder)


@pytest.mark.parametrize(
    "head", ["", "---\nno end", "---\n- a list\n---\n", "---\na: [\n---\n", "---\na: !!python/x\n---\n"]
)
def test_a_card_whose_head_cant_be_read_is_refused(make, reseal, head):
    folder = make("mails")
    (folder / "README.md").write_text(head)
    reseal(folder)
    with pytest.raises(UserError, match="metadata"):
        read_folder(folder)


def test_releases_are_found_in_a_run_a_release_and_a_folder_of_them(make, tmp_path):
    one, two = make("one"), make("two", inside=".")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "young").mkdir()
    (tmp_path / "runs" / "young" / "state.json").write_text("{}")
    found, unread = find_releases([tmp_path / "runs"])
    assert [folder.resolve() for folder in found] == [one.resolve(), two.resolve()]
    assert [row.where for row in unread] == [str(tmp_path / "runs" / "young")]
    assert "no release yet" in unread[0].reason
    assert find_releases([one, one.parent, tmp_path / "runs"])[0] == [one, two.parent / "two"]


ODD = (
    st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: f"---\nprefloop: {text}\n---\n".encode())
    | st.sampled_from([b"[" * 30_000, b"---\na: " + b"[" * 3_000 + b"\n---\n", b"9" * 5_000, b'{"contamination": 1}'])
)


@given(st.sampled_from(["README.md", "report.json", "recipe.json", "release.json"]), ODD)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_a_crash_even_if_it_is_what_was_released(make, reseal, card, name, odd):
    folder = make(f"r{uuid4().hex}")
    (folder / name).write_bytes(odd)
    if name != "release.json":
        reseal(folder)
    with suppress(UserError):
        assert read_folder(folder).block.verdict == "better"


@pytest.mark.parametrize("name", [None, 3, "", " \u200b"])
def test_a_release_without_a_name_is_refused(make, reseal, name):
    folder = make("mails")
    reseal(folder, name=name)
    with pytest.raises(UserError, match="has no name"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_any_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="--runs takes"):
        find_releases([tmp_path / name])


def test_every_release_is_a_hit_left_out_or_unread(make, tmp_path):
    make("one", task="Sorts mails.")
    make("two", task="Sorts mails.", verdict="worse")
    make("three", task="Writes songs.")
    broken = make("four")
    (broken / "README.md").write_text("changed")
    found = search(read_shelf([tmp_path / "runs"], []), "sorting", Filters(verdict="better"))
    assert [hit.entry.name for hit in found.hits] == ["one"]
    assert [(one.by, one.names) for one in found.left_out] == [
        ("--verdict better", ("two",)),
        ("the words (it has none of them)", ("three",)),
    ]
    assert [row.where for row in found.unread] == [str(broken)]
    assert found.read == 3


def test_without_words_the_newest_stands_first(make, reseal, tmp_path):
    for day, name in ((1, "old"), (3, "new"), (2, "middle")):
        reseal(make(name), name=name, created=f"2026-02-0{day}T00:00:00+00:00")
    found = search(read_shelf([tmp_path / "runs"], []), " ", Filters())
    assert [(hit.entry.name, hit.likeness) for hit in found.hits] == [("new", None), ("middle", None), ("old", None)]


def test_a_score_that_no_release_has_is_a_mistake(make, tmp_path):
    make("one")
    with pytest.raises(UserError, match=r"'taks_check'; there are difference, task_check"):
        search(read_shelf([tmp_path / "runs"], []), "", Filters(min_scores=(("taks_check", 0.5),)))

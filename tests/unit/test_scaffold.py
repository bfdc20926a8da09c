"""`prefloop init`: a project that its own checks accept, and never a file overwritten."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin, read_items, write_rows
from prefloop.errors import Problems, UserError
from prefloop.recipe import load_recipe
from prefloop.scaffold import FORMS, Answers, scaffold

PREFLOOP = Path(sys.executable).with_name("prefloop")
TASK = "Answers customers: where's my parcel? # in a sentence"


@pytest.mark.parametrize("kind", FORMS)
def test_every_kind_of_project_is_valid_and_its_items_can_be_shown(tmp_path, kind):
    written = scaffold(tmp_path / "Late Parcels!", Answers(TASK, kind, votes=5))
    assert [path.name for path in written] == ["items.jsonl", "guidelines.md", "recipe.yaml"]
    recipe = load_recipe(written[-1])
    assert (recipe.name, recipe.task, recipe.collect.min_votes) == ("late-parcels", TASK, 5)
    items = read_items(recipe.collect.items)
    assert {len(item.candidates) for item in items} == {recipe.collect.form.candidates}
    assert all("EXAMPLE" in item.prompt[-1].content and "example" in item.tags for item in items)
    guidelines = recipe.collect.guidelines.read_text()
    assert 0 < len(guidelines) <= 10_000
    assert TASK in guidelines
    assert "$" not in guidelines + written[-1].read_text()


@settings(max_examples=60, deadline=None)
@given(task=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=10, max_size=80))
def test_any_sentence_survives_the_recipe(tmp_path_factory, task):
    written = scaffold(tmp_path_factory.mktemp("p"), Answers(task))
    assert load_recipe(written[-1]).task == task


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    (tmp_path / "guidelines.md").write_text("mine")
    with pytest.raises(Problems, match=r"guidelines\.md"):
        scaffold(tmp_path, Answers(TASK))
    assert [path.name for path in tmp_path.iterdir()] == ["guidelines.md"]
    with pytest.raises(Problems, match="task  must have at least 10 characters"):
        scaffold(tmp_path / "new", Answers("short"))
    assert not (tmp_path / "new").exists()


def test_own_items_are_checked_and_named_not_copied(tmp_path):
    author = Origin("person", "author")
    write_rows(tmp_path / "mine.jsonl", [Item((Message("user", "p"),), "a", "b", author, author)])
    written = scaffold(tmp_path / "p", Answers(TASK, items=tmp_path / "mine.jsonl"))
    assert [path.name for path in written] == ["guidelines.md", "recipe.yaml"]
    assert load_recipe(written[-1]).collect.items.resolve() == (tmp_path / "mine.jsonl").resolve()
    with pytest.raises(UserError, match="for pairwise or graded"):
        scaffold(tmp_path / "q", Answers(TASK, "ranking", items=tmp_path / "mine.jsonl"))
    with pytest.raises(UserError, match="can't be read"):
        scaffold(tmp_path / "q", Answers(TASK, items=tmp_path / "none.jsonl"))
    assert not (tmp_path / "q").exists()


def run(*arguments, cwd):
    return subprocess.run(
        [PREFLOOP, "init", *map(str, arguments)],
        cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_without_a_terminal_flags_answer_and_a_missing_task_is_said(tmp_path):
    done = run("p", cwd=tmp_path)
    assert (done.returncode, "--task" in done.stderr) == (2, True)
    done = run("p", "--task", TASK, "--ask", "graded", "--votes", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["p/items.jsonl", "p/guidelines.md", "p/recipe.yaml"]
    assert "prefloop collect push p/recipe.yaml" in done.stderr
    recipe = load_recipe(tmp_path / "p/recipe.yaml")
    assert (recipe.collect.form.strength, recipe.collect.min_votes) == (True, 1)
    assert run("p", "--task", TASK, cwd=tmp_path).returncode == 2


def test_on_a_terminal_five_questions_are_asked_again_where_the_answer_will_not_do(tmp_path):
    terminal, end = pty.openpty()
    answers = ["short", TASK, "tournament", "ranking", "", "0", "5", "none.jsonl", ""]
    process = subprocess.Popen(
        [PREFLOOP, "init", "p"], cwd=tmp_path, stdin=end, stdout=end, stderr=end, env=os.environ | {"TERM": "dumb"}
    )
    os.close(end)
    os.write(terminal, "".join(answer + "\n" for answer in answers).encode())
    said = b""
    while True:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the other end was closed
            break
    assert process.wait(60) == 0, said.decode()
    recipe = load_recipe(tmp_path / "p/recipe.yaml")
    assert (recipe.task, recipe.collect.form.kind, recipe.collect.min_votes) == (TASK, "ranking", 5)
    for hint in ("a whole sentence", "one of pairwise, graded, ranking", "a number, 1 or more", "no such file"):
        assert hint in said.decode()

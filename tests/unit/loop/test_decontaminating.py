import json
from dataclasses import replace
from pathlib import Path

import prefloop
import pytest
from prefloop.collect import Message, PreferencePair, read_items, seal
from prefloop.errors import Problems, UserError
from prefloop.loop.decontaminating import clean_items, clean_pairs, evaluation_files
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import Cost, Run, open_run, read_json

DEMO = Path(prefloop.__path__[0]) / "recipes/demo"
QUESTION = "Which of these planets has the largest number of moons that we know of today?"


@pytest.fixture
def evaluation(tmp_path):
    path = tmp_path / "eval.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "answer": "Saturn"}) + "\n")
    return path


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


@pytest.fixture
def demo_items():
    return read_items(DEMO / "items.jsonl")


def recipe(evaluation, action="block"):
    return load_recipe(
        DEMO / "recipe.yaml",
        [f"collect.decontaminate.against=[{evaluation}]", f"collect.decontaminate.action={action}"],
    )


def asking(item, text):
    return replace(item, prompt=(item.prompt[0], Message("user", text)))


def test_the_demonstration_is_clean_of_what_it_is_measured_on(run, demo_items):
    settings = load_recipe(DEMO / "recipe.yaml")
    assert evaluation_files(settings) == (DEMO / "general.jsonl",)
    assert clean_items(run, settings, demo_items) == demo_items
    sealed = seal(demo_items, 0.3, 1, run.folder / "collect/sealed.json")
    pairs = [
        PreferencePair(item.prompt, item.response_a, item.response_b, 1.0, item.id, ("v",))
        for item in demo_items
        if not sealed.holds(item)
    ]
    assert clean_pairs(run, settings, pairs, sealed) == pairs


def test_items_of_the_evaluation_block_the_push_and_are_named(run, demo_items, evaluation):
    dirty = asking(demo_items[0], f"{QUESTION} Think!")
    with pytest.raises(Problems) as refused:
        clean_items(run, recipe(evaluation), [*demo_items, dirty])
    text = str(refused.value)
    assert f"1 of {len(demo_items) + 1} items stand in data that the model is measured on" in text
    assert f"{dirty.id} prompt: n-gram (100%) of eval.jsonl, row 1" in text
    assert "collect.decontaminate.action to drop" in text
    written = read_json(run.folder / "collect/contamination.json")["items"]
    assert [row["id"] for row in written["overlaps"]] == [dirty.id]
    assert written["files"] == {str(DEMO / "general.jsonl"): 581, str(evaluation): 2}


@pytest.mark.parametrize(("action", "kept"), [("drop", 240), ("report", 241)])
def test_what_is_dropped_or_only_reported_is_listed(run, demo_items, evaluation, action, kept):
    dirty = asking(demo_items[0], QUESTION)
    assert len(clean_items(run, recipe(evaluation, action), [*demo_items, dirty])) == kept
    written = read_json(run.folder / "collect/contamination.json")["items"]
    assert (written["action"], [row["id"] for row in written["overlaps"]]) == (action, [dirty.id])


def test_an_edit_that_quotes_the_evaluation_or_a_sealed_prompt_is_found(run, make_demo_pair, demo_items, evaluation):
    sealed = seal(demo_items, 0.3, 1, run.folder / "collect/sealed.json")
    secret = max((item for item in demo_items if sealed.holds(item)), key=lambda item: len(item.prompt[1].content))
    clean, quoting, leaking = (
        make_demo_pair(chosen) for chosen in ("Fine.", f"Hm: {QUESTION}", f"As one wrote: {secret.prompt[1].content}")
    )
    assert clean_pairs(run, recipe(evaluation, "drop"), [clean, quoting, leaking], sealed) == [clean]
    rows = read_json(run.folder / "collect/contamination.json")["pairs"]["overlaps"]
    assert {(row["id"], row["part"], row["row"]) for row in rows} == {
        (quoting.id, "chosen", "1"), (leaking.id, "chosen", secret.prompt_id),
    }  # fmt: skip


@pytest.fixture
def make_demo_pair(demo_items):
    def make(chosen):
        prompt = asking(demo_items[0], "Do you have mugs that are blue inside?").prompt
        return PreferencePair(prompt, chosen, "No.", 1.0, demo_items[0].id, ("v",))

    return make


def test_what_was_found_clean_is_not_looked_at_again_until_the_evaluation_changes(run, make_demo_pair, evaluation):
    pair = make_demo_pair("Fine.")
    settings = recipe(evaluation)
    sealed = seal([], 0.3, 1, run.folder / "collect/sealed.json")
    seen = []

    def note(done, total):
        seen.append(total)

    clean_pairs(run, settings, [pair], sealed, note)
    assert seen
    seen.clear()
    assert clean_pairs(run, settings, [pair], sealed, note) == [pair]
    assert seen == []
    evaluation.write_text(json.dumps({"question": "Another one, which has not been asked before?"}) + "\n")
    clean_pairs(run, settings, [pair], sealed, note)
    assert seen


def test_the_action_may_change_within_a_run_and_pairs_are_then_made_anew(tmp_path, evaluation):
    run = open_run(tmp_path / "run", resolved(recipe(evaluation)))
    for phase in ("push", "label", "pull", "train"):
        run.finish(phase, Cost(1.0, 1, ""))
    assert list(open_run(tmp_path / "run", resolved(recipe(evaluation, "drop"))).costs) == ["push", "label"]


def test_evaluation_texts_that_are_not_there_stop_the_push(run, demo_items, tmp_path):
    with pytest.raises(UserError, match=r"missing\.jsonl"):
        clean_items(run, recipe(tmp_path / "missing.jsonl"), demo_items)

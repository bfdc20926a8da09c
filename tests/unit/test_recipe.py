from pathlib import Path

import pytest
from prefloop.errors import Problems, UserError
from prefloop.recipe import check_recipe, load_recipe, recipe_run, resolved
from prefloop.runs import Cost, Run, read_json, write_json

ROOT = Path(__file__).parents[2]
GOOD = """
name: late-parcels
task: Answers customers who ask where their parcel is.
collect: {items: items.jsonl, guidelines: guide.md, queue: late-parcels}
"""


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return write


def test_every_recipe_that_ships_is_valid():
    found = sorted((ROOT / "recipes").rglob("*.yaml"))
    assert [path.parent.name for path in found] == ["demo"] + ["published"] * 9
    for path in found:
        load_recipe(path)


def test_paths_are_relative_to_the_recipe(recipe, tmp_path):
    loaded = load_recipe(recipe(GOOD), ["collect.votes=votes.jsonl", "evaluate.general={data: /elsewhere/g.jsonl}"])
    assert loaded.collect.items == tmp_path / "items.jsonl"
    assert loaded.collect.votes == tmp_path / "votes.jsonl"
    assert loaded.evaluate.general.data == Path("/elsewhere/g.jsonl")


def test_a_resolved_recipe_gives_the_same_recipe_again(recipe, tmp_path):
    loaded = load_recipe(recipe(GOOD), ["train.learning_rate=5e-6"])
    assert loaded.train.learning_rate == 5e-6
    assert check_recipe(resolved(loaded), name="again", folder=Path("/nowhere")) == loaded


def test_all_problems_are_shown_together_with_what_was_probably_meant(recipe):
    text = GOOD + "train: {betta: 1, beta: -1, loss_type: [kto_pair]}\nevaluat: {}\n"
    with pytest.raises(Problems) as raised:
        load_recipe(recipe(text.replace("queue: late-parcels", "min_votes: 0")))
    said = str(raised.value)
    assert "train.betta  is not a setting; did you mean `beta`?" in said
    assert "train.beta  must be greater than 0, got -1" in said
    assert "train.loss_type.0  must be 'sigmoid'" in said
    assert "evaluat  is not a setting; did you mean `evaluate`?" in said
    assert "collect.queue  is missing" in said
    assert "collect.min_votes  must be greater than or equal to 1, got 0" in said


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train.betta=1"], "did you mean `beta`"),
        (["train"], "not of the form section.setting=value"),
        (["name.first=x"], "'name' is no section"),
        (["train.beta=[1"], "is not a YAML value"),
    ],
)
def test_an_override_is_checked_like_the_file(recipe, overrides, said):
    with pytest.raises(Problems, match=said):
        load_recipe(recipe(GOOD), overrides)


def test_a_name_of_another_form_is_told_the_form(recipe):
    with pytest.raises(Problems, match=r"publish\.repo  must match pattern '.*', got 'replies'"):
        load_recipe(recipe(GOOD), ["publish.repo=replies"])


@pytest.mark.parametrize(
    ("text", "said"), [("- a", "must be a mapping"), ("a: [", "is not YAML"), ("", "must be a mapping")]
)
def test_what_is_no_recipe_is_one_sentence(recipe, text, said):
    with pytest.raises(UserError, match=said):
        load_recipe(recipe(text))


def test_a_missing_recipe_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        load_recipe(tmp_path / "none.yaml")


def test_a_run_of_an_earlier_prefloop_goes_on_with_what_was_the_default_then(recipe, tmp_path):
    loaded, folder = load_recipe(recipe(GOOD)), tmp_path / "run"
    recipe_run(loaded, folder)
    tree = read_json(folder / "recipe.json")
    del tree["collect"]["select"], tree["train"]["beta"]
    write_json(folder / "recipe.json", tree)
    recipe_run(loaded, folder)
    assert read_json(folder / "recipe.json") == resolved(loaded)
    del tree["train"]["seed"]
    write_json(folder / "recipe.json", tree)
    Run(folder).finish("train", Cost(1.0, 1, ""))
    with pytest.raises(UserError, match=r"changed: train\.beta"):
        recipe_run(load_recipe(recipe(GOOD), ["train.beta=0.3"]), folder)


def test_a_run_with_a_setting_that_is_gone_is_refused(recipe, tmp_path):
    loaded, folder = load_recipe(recipe(GOOD)), tmp_path / "run"
    recipe_run(loaded, folder)
    tree = read_json(folder / "recipe.json")
    Run(folder).finish("train", Cost(1.0, 1, ""))
    tree["train"]["warp"] = 9
    write_json(folder / "recipe.json", tree)
    with pytest.raises(UserError, match=r"changed: train\.warp"):
        recipe_run(loaded, folder)


def test_a_task_file_is_relative_to_the_recipe_too(recipe, tmp_path):
    text = GOOD + "evaluate:\n  tasks: {run: [bbh, own.jsonl], data_dir: mirror}\n"
    tasks = load_recipe(recipe(text)).evaluate.tasks
    assert tasks.run == ("bbh", tmp_path / "own.jsonl")
    assert tasks.data_dir == tmp_path / "mirror"

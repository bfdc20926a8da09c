"""The recipes that ship: their numbers are the published ones, their heads are whole, and copies are one's own."""

import importlib.resources
import re
from pathlib import Path

import pytest
from prefloop.collect.sources import KINDS
from prefloop.errors import Problems, UserError
from prefloop.published import HEAD, copy_published, published_recipe, published_recipes
from prefloop.recipe import load_recipe
from prefloop.translate import in_words, translate_file
from typer.testing import CliRunner

PUBLISHED = {
    # name: beta, learning rate, scheduler, epochs, batch, max_length, trains all weights
    "llama-3.2-1b-qlora": (0.1, 5e-5, "linear", 3, 2, 1024, False),
    "qwen2.5-0.5b": (0.1, 5e-6, "linear", 1, 16, 1024, False),
    "qwen2.5-1.5b": (0.1, 1e-6, "cosine_with_min_lr", 1, 128, 2048, True),
    "smollm2-1.7b": (0.5, 1e-6, "cosine", 3, 128, 1024, True),
    "smollm2-135m": (0.5, 1e-6, "cosine", 2, 128, 1024, True),
    "smollm2-360m": (0.5, 1e-6, "cosine", 2, 128, 1024, True),
    "smollm3-3b-apo": (0.05, 1e-6, "cosine_with_min_lr", 1, 32, 24576, True),
    "tulu-3-8b": (5, 5e-7, "linear", 1, 128, 2048, True),
    "zephyr-7b-qlora": (0.01, 5e-6, "cosine", 1, 16, 1024, False),
}


def test_all_of_them_load_with_the_published_numbers():
    found = {one.name: one.recipe.train for one in published_recipes()}
    assert {
        name: (t.beta, t.learning_rate, t.lr_scheduler, t.epochs, t.batch_size, t.max_length, not t.use_peft)
        for name, t in found.items()
    } == PUBLISHED


def test_every_recipe_that_ships_is_loaded():
    shipped = importlib.resources.files("prefloop.recipes")
    with importlib.resources.as_file(shipped) as folder:
        paths = sorted(folder.rglob("*.yaml"))
        assert len(paths) == len(PUBLISHED) + 1  # and the demonstration
        for path in paths:
            assert load_recipe(path).task


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_head_says_whence_and_how(name):
    one = published_recipe(name)
    assert tuple(one.head) == HEAD
    assert [word for word, text in one.head.items() if len(text) < 10] == []
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+/blob/([0-9a-f]{40}|v[\d.]+)/\S+", one.source)
    first, *commands = one.head["Run"].splitlines()
    assert first.startswith(f"prefloop recipe copy {name} ")
    assert [command for command in commands if not command.startswith("prefloop ")] == []
    imported = commands[0].split()
    assert imported[:3] == ["prefloop", "collect", "import"]
    assert imported[3] in KINDS
    # What is imported is what the recipe reads.
    assert f"{imported[imported.index('--out') + 1]}/items.jsonl" in one.text
    assert f"{imported[imported.index('--out') + 1]}/votes.jsonl" in one.text


def test_only_what_differs_from_the_defaults_is_stated():
    import yaml
    from prefloop.train import TrainSettings

    defaults = TrainSettings().model_dump(mode="json")
    for one in published_recipes():
        stated = yaml.safe_load(one.text)["train"]
        same = [key for key, value in stated.items() if defaults[key] == value]
        assert same == [], one.name


def test_a_copy_reads_data_beside_it_and_overwrites_nothing(tmp_path):
    paths = copy_published("smollm2-135m", tmp_path / "mine")
    assert [path.name for path in paths] == ["recipe.yaml", "guidelines.md"]
    recipe = load_recipe(paths[0])
    assert recipe.collect.items == tmp_path / "mine/data/ultrafeedback-binarized/items.jsonl"
    assert recipe.collect.guidelines == paths[1]
    with pytest.raises(Problems, match=r"recipe\.yaml"):
        copy_published("zephyr-7b-qlora", tmp_path / "mine")


@pytest.mark.parametrize("name", ["smollm2-135", "../demo/recipe", "", "nothing-like-it"])
def test_an_unknown_name_is_a_sentence_with_the_nearest(name):
    with pytest.raises(UserError, match=r"did you mean|there are"):
        published_recipe(name)


def test_list_and_show_say_the_same_as_the_files():
    from prefloop.cli import app

    listed = CliRunner().invoke(app, ["recipe", "list", "--json"])
    assert listed.exit_code == 0
    assert [name for name in PUBLISHED if f'"name": "{name}"' not in listed.stdout] == []
    shown = CliRunner().invoke(app, ["recipe", "show", "tulu-3-8b"])
    assert shown.stdout.strip() == published_recipe("tulu-3-8b").text.strip()


def test_the_page_about_them_says_the_same():
    page = (Path(__file__).parents[3] / "docs/recipes.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    assert [(row[0].strip("`"), row[1], *row[4:8]) for row in rows] == [
        (one.name, t.base_model, f"{t.beta:g}", f"{t.learning_rate:g}", str(t.batch_size), str(t.epochs))
        for one in published_recipes()
        for t in [one.recipe.train]
    ]
    found = translate_file(Path(__file__).parents[1] / "translate/recipes/smollm2.yaml", gpus=8)
    assert "\n".join(in_words(found.notes)) in page
    assert [warning for warning in found.warnings if warning not in page] == []

"""The recipes that ship: each takes its steps on a tiny model, and one goes all the way from public data by the CLI."""

import dataclasses
import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch
from prefloop.published import published_recipe
from prefloop.train import train_dpo
from prefloop.translate.keys import DEAD, KNOWN
from typer.testing import CliRunner

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
    pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes"),
]
SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes/published").glob("*.yaml"))
QUANTISED = {"llama-3.2-1b-qlora", "zephyr-7b-qlora"}


@pytest.fixture(scope="module")
def thin_model(tiny_model, tmp_path_factory):
    """One layer of the tiny model, for settings rather than results."""
    import shutil

    from prefloop.models import load_model, resolve_model

    folder = tmp_path_factory.mktemp("thin") / "model"
    shutil.copytree(tiny_model.path, folder)
    model = load_model(tiny_model.path, dtype=torch.bfloat16)
    model.model.layers = model.model.layers[:1]
    model.config.num_hidden_layers = 1
    model.save_pretrained(folder)
    return resolve_model(str(folder))


def test_nine_recipes_ship():
    assert len(SHIPPED) == 9
    assert {name for name in SHIPPED if published_recipe(name).recipe.train.quantization} == QUANTISED


@pytest.fixture(scope="module")
def take_steps(thin_model, tmp_path_factory):
    """Train with settings; those that differ from another recipe's only in what is cut down are not trained twice."""
    known = {}

    def train(settings, pairs):
        if settings.model_dump_json() not in known:
            folder = tmp_path_factory.mktemp("steps")
            trained = train_dpo(pairs, settings, base=thin_model, folder=folder)
            rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            known[settings.model_dump_json()] = trained, rows
        return known[settings.model_dump_json()]

    return train


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_takes_its_steps(name, thin_model, make_pairs, take_steps):
    if name in QUANTISED and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("the qlora extra is not installed")
    published = published_recipe(name).recipe.train
    # The base is another, and so are only the sizes: two steps of two pairs, accumulated where the recipe does.
    small = {"base_model": str(thin_model.path), "base_revision": None, "epochs": 1, "batch_size": 2}
    settings = published.model_copy(update=small | {"micro_batch_size": published.micro_batch_size and 1})
    trained, (first, last) = take_steps(settings, make_pairs(4))
    assert trained.steps == 2
    assert trained.settings == settings
    assert math.isfinite(last["loss"])
    assert last["grad_norm"] > 0
    assert last["learning_rate"] > 0
    if "apo_zero" not in settings.loss_type:  # which starts from a half
        assert first["loss"] == pytest.approx(math.log(2), abs=0.02)


ROWS = (
    ("Name a river in Peru.", "The Marañón is a river in northern Peru.", "Peru."),
    ("How long is a marathon?", "A marathon is 42.195 kilometres long.", "Very long, ask a runner."),
    ("What do bees collect?", "Bees collect nectar and pollen from flowers.", "Stamps."),
    ("Who wrote Faust?", "Goethe wrote Faust, in two parts.", "Some man."),
    ("What is salt made of?", "Table salt is sodium and chlorine.", "Salt."),
    ("Why do leaves turn red?", "They lose chlorophyll, and other pigments show.", "It is autumn, that is why."),
    ("Give the square of twelve.", "Twelve squared is 144.", "A lot."),
    ("Where do penguins live?", "Nearly all penguins live south of the equator.", "In the zoo."),
)


def public_file(path):
    """A few rows in the form of HuggingFaceH4/ultrafeedback_binarized."""

    def turns(prompt, answer):
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]

    rows = [
        {"prompt": prompt, "prompt_id": str(number), "chosen": turns(prompt, good), "rejected": turns(prompt, bad),
         "messages": turns(prompt, good), "score_chosen": 8.5, "score_rejected": 4.0}
        for number, (prompt, good, bad) in enumerate(ROWS)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_shipped_recipe_goes_from_public_data_to_a_trained_model_without_argilla(tiny_model, tmp_path, monkeypatch):
    from prefloop.cli import app

    def run(*words):
        done = CliRunner().invoke(app, [*map(str, words)])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.output

    run("recipe", "copy", "qwen2.5-0.5b", tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    source = public_file(tmp_path / "train_prefs.jsonl")
    run("collect", "import", "ultrafeedback-binarized", source, "--out", "data/ultrafeedback-trl")
    cut = (f"train.base_model={tiny_model.path}", "train.batch_size=4", "collect.sealed_fraction=0.25")
    same = ["recipe.yaml", "--run", "run", *(word for setting in cut for word in ("--set", setting))]
    run("collect", "adopt", *same)
    run("train", *same)
    assert (tmp_path / "mine/run/train/adapter/adapter_model.safetensors").is_file()
    record = json.loads((tmp_path / "mine/run/train/adapter/prefloop.json").read_text())
    assert record["pairs"] + 2 == len(ROWS)
    assert record["settings"]["target_modules"] == ["q_proj", "v_proj"]


def test_every_argument_of_the_installed_trl_has_its_fate():
    """Contract with TRL 1.16 and transformers 5.23: an argument that is new, or back, is seen here first."""
    from trl import DPOConfig, ModelConfig, ScriptArguments
    from trl.scripts.utils import DatasetMixtureConfig

    classes = (DPOConfig, ModelConfig, ScriptArguments, DatasetMixtureConfig)
    there = {field.name for kind in classes for field in dataclasses.fields(kind)}
    assert sorted(there - KNOWN) == []
    assert sorted(there & set(DEAD)) == ["padding_free"]  # there, and without effect


def test_what_the_translator_takes_for_trls_defaults_are_its_defaults():
    from prefloop.translate import translate
    from prefloop.translate.keys import LOST
    from trl import DPOConfig, ModelConfig

    theirs = {field.name: field.default for kind in (ModelConfig, DPOConfig) for field in dataclasses.fields(kind)}
    found = translate({"model_name_or_path": "org/model"}, name="x").recipe["train"]
    assert found == {
        "base_model": "org/model",
        "learning_rate": theirs["learning_rate"],
        "warmup": theirs["warmup_steps"],
        "epochs": theirs["num_train_epochs"],
        "micro_batch_size": theirs["per_device_train_batch_size"],
        "use_peft": theirs["use_peft"],
    }
    neutral = {
        key: values for key, (values, _) in LOST.items() if key in theirs and theirs[key] is not dataclasses.MISSING
    }
    assert [key for key, values in neutral.items() if theirs[key] not in values] == []

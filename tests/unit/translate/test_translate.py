"""Other tools' recipes: every key has a fate, nothing that is learned is lost without a word, and the result loads."""

from pathlib import Path

import pytest
import yaml
from prefloop.errors import Problems, UserError
from prefloop.recipe import load_recipe
from prefloop.train import TrainSettings
from prefloop.translate import Fate, in_words, translate, translate_file, write_recipe

RECIPES = Path(__file__).with_name("recipes")
MODEL = {"model_name_or_path": "org/model", "dataset_name": "org/pairs", "use_peft": True}
"""The least that a file says."""


def fates(found):
    return {note.key: note.fate for note in found.notes}


def written(found, folder, source="theirs.yaml"):
    write_recipe(found, folder / "recipe.yaml", source=source)
    return load_recipe(folder / "recipe.yaml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_key_of_a_public_recipe_is_accounted_for_and_the_result_loads(path, tmp_path):
    given = yaml.safe_load(path.read_text())
    found = translate_file(path, gpus=8)
    assert found.refused == ()
    told = [note.key.partition(".")[0] for note in found.notes if note.fate is not Fate.added]
    assert sorted(set(told)) == sorted(given)
    recipe = written(found, tmp_path, path.name)
    assert recipe.train.base_model == given["model_name_or_path"]
    assert recipe.collect.items.is_absolute()
    assert (tmp_path / "guidelines.md").is_file()
    said = "\n".join(in_words(found.notes))
    assert [key for key in given if key not in said] == []


def test_zephyr_comes_out_as_published(tmp_path):
    train = written(translate_file(RECIPES / "zephyr-qlora.yaml"), tmp_path).train
    layers = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert train == TrainSettings(
        base_model="alignment-handbook/zephyr-7b-sft-qlora",
        beta=0.01,
        learning_rate=5e-6,
        lr_scheduler="cosine",
        warmup=0.1,
        epochs=1,
        batch_size=16,
        micro_batch_size=4,
        max_length=1024,
        lora_rank=128,
        lora_alpha=128,
        target_modules=layers,
        quantization="nf4",
        optim="paged_adamw_32bit",
        gradient_checkpointing=True,
        save_every=100,
    )


def test_a_mixture_with_its_test_split_is_a_leak_and_is_not_imported():
    found = translate_file(RECIPES / "smollm2.yaml", gpus=8)
    assert any("test_prefs" in warning and "trained on" in warning for warning in found.warnings)
    assert [command for command in found.commands if "test_prefs" in command] == []
    assert found.recipe["train"]["batch_size"] == 128
    # Splits by name, as before alignment-handbook 0.4, are for evaluation: no leak.
    assert translate_file(RECIPES / "zephyr-qlora.yaml").warnings == ()


def test_several_data_sets_are_imported_apart_and_mixed():
    found = translate_file(RECIPES / "smollm3-apo.yaml")
    imports = [command for command in found.commands if "collect import" in command]
    assert len(imports) == len({command.rpartition("--out")[2] for command in imports}) == 2
    assert found.recipe["collect"]["items"] == "data/mixed/items.jsonl"
    assert "0.5 of its rows" in found.warnings[0]
    assert any("chat_template_kwargs" in warning for warning in found.warnings)


def test_the_length_normalised_loss_keeps_its_scale():
    found = translate_file(RECIPES / "tulu-3-8b.yaml", gpus=8)
    assert (found.recipe["train"]["loss_type"], found.recipe["train"]["beta"]) == (["sigmoid_norm"], 5)
    assert "another scale" in found.warnings[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"warmup_ratio": 0.03}, {"warmup": 0.03}),
        ({"warmup_steps": 0.2}, {"warmup": 0.2}),
        ({"lr_scheduler_type": "constant"}, {"lr_scheduler": "constant_with_warmup", "warmup": 0.0}),
        ({"rpo_alpha": 0.5}, {"loss_type": ("sigmoid", "sft"), "loss_weights": (1.0, 0.5)}),
        ({"rpo_alpha": 1.0, "loss_type": "ipo"}, {"loss_type": ("ipo", "sft"), "loss_weights": (1.0, 1.0)}),
        ({"loss_type": "aot_pair"}, {"loss_type": ("aot_unpaired",)}),
        ({"learning_rate": "5e-7"}, {"learning_rate": 5e-7}),
        ({"lora_target_modules": "all-linear"}, {"target_modules": "all-linear"}),
        ({"lora_target_modules": "q_proj"}, {"target_modules": ("q_proj",)}),
        ({"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 5e-7}, "learning_rate": 5e-6},
         {"min_lr_rate": pytest.approx(0.1)}),
        ({"max_length": 512.0}, {"max_length": 512}),
        ({"loss_type": "robust", "label_smoothing": 0.1}, {"label_smoothing": 0.1}),
        ({"activation_checkpointing": True}, {"gradient_checkpointing": True}),
        ({"report_to": "none"}, {"report_to": ()}),
        ({"report_to": ["wandb", "comet_ml"]}, {"report_to": ("wandb",)}),
        ({"use_rslora": True, "use_dora": True}, {"use_rslora": True, "use_dora": True}),
    ],
    ids=str,
)  # fmt: skip
def test_a_key_becomes_what_it_means(given, expected, tmp_path):
    found = translate(MODEL | given, name="x")
    assert found.refused == ()
    train = written(found, tmp_path).train.model_dump()
    assert {name: train[name] for name in expected} == expected


def test_label_smoothing_of_the_plain_loss_is_cdpo(tmp_path):
    found = translate(MODEL | {"label_smoothing": 0.1}, name="x")
    train = written(found, tmp_path).train
    assert (train.label_smoothing, train.votes.targets) == (0.1, "smoothed")
    assert "cDPO" in next(note.why for note in found.notes if note.key == "label_smoothing")


def test_what_the_file_leaves_open_is_the_default_of_its_own_tool(tmp_path):
    found = translate(MODEL, name="x")
    train = written(found, tmp_path).train
    assert (train.learning_rate, train.epochs, train.batch_size, train.warmup) == (1e-6, 3, 8, 0.0)
    assert train.target_modules == ("q_proj", "v_proj")
    assert {note.key for note in found.notes if note.fate is Fate.added} == {
        "learning_rate", "num_train_epochs", "per_device_train_batch_size", "warmup_steps", "lora_target_modules",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "fate", "says"),
    [
        ({"loss_type": "kto_pair"}, Fate.lost, "no DPO loss"),
        ({"loss_type": "simpo"}, Fate.lost, "no reference"),
        ({"loss_type": "sigmoidd"}, Fate.lost, "did you mean `sigmoid`"),
        ({"learnin_rate": 1e-6}, Fate.unknown, "did you mean `learning_rate`"),
        ({"zzz": 1}, Fate.unknown, "no key of"),
        ({"max_steps": 1000}, Fate.lost, "whole epochs"),
        ({"num_train_epochs": 0.5}, Fate.lost, "whole epochs"),
        ({"warmup_steps": 100}, Fate.lost, "share of all steps"),
        ({"load_in_8bit": True}, Fate.lost, "nf4"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, Fate.lost, "nf4"),
        ({"chat_template": "{{ messages }}"}, Fate.lost, "train.chat_template"),
        ({"reference_free": True}, Fate.lost, "always a reference"),
        ({"sync_ref_model": True}, Fate.lost, "stays what it was"),
        ({"optim": "adafactor"}, Fate.lost, "adamw_torch"),
        ({"lr_scheduler_type": "polynomial"}, Fate.lost, "cosine"),
        ({"f_divergence_type": "js_divergence"}, Fate.lost, "reverse_kl"),
    ],
    ids=str,
)  # fmt: skip
def test_what_changes_the_result_and_what_nobody_knows_stands_in_the_way(given, fate, says):
    found = translate(MODEL | given, name="x")
    (note,) = found.refused
    assert note.key in given
    assert note.fate is fate
    assert says in note.why


@pytest.mark.parametrize("key", ["reference_free", "sync_ref_model", "load_in_8bit", "use_weighting"])
def test_a_switch_that_is_off_stands_in_nobodys_way(key):
    assert translate(MODEL | {key: False}, name="x").refused == ()


def test_a_value_that_prefloop_refuses_is_refused_with_its_own_words(tmp_path):
    found = translate(MODEL | {"loss_type": "sigmoid_norm"}, name="x")  # TRL's beta 0.1 would hardly learn
    with pytest.raises(Problems, match="number of tokens"):
        write_recipe(found, tmp_path / "recipe.yaml", source="theirs.yaml")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_number_is_a_sentence():
    with pytest.raises(UserError, match="gradient_accumulation_steps must be a number, got 'auto'"):
        translate(MODEL | {"gradient_accumulation_steps": "auto"}, name="x")


@pytest.mark.parametrize("text", ["- a list", "a: [", "1: 2", ""])
def test_a_file_that_is_no_recipe_is_a_sentence(text, tmp_path):
    (tmp_path / "theirs.yaml").write_text(text)
    with pytest.raises(UserError, match=r"theirs\.yaml"):
        translate_file(tmp_path / "theirs.yaml")


def test_nothing_is_overwritten(tmp_path):
    found = translate(MODEL, name="x")
    (tmp_path / "guidelines.md").write_text("mine")
    written(found, tmp_path)
    assert (tmp_path / "guidelines.md").read_text() == "mine"
    with pytest.raises(UserError, match="there already"):
        write_recipe(found, tmp_path / "recipe.yaml", source="theirs.yaml")


def test_the_keys_of_adapters_are_dropped_where_there_is_none(tmp_path):
    found = translate(MODEL | {"use_peft": False, "lora_r": 8, "lora_alpha": 8}, name="x")
    assert fates(found)["lora_r"] is Fate.ours
    assert not written(found, tmp_path).train.use_peft


def test_the_command_writes_nothing_until_asked_to_keep_going(tmp_path):
    from prefloop.cli import app
    from typer.testing import CliRunner

    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump(MODEL | {"max_steps": 10, "bta": 0.2}))
    command = ["recipe", "import", str(tmp_path / "theirs.yaml"), "--out", str(tmp_path / "recipe.yaml")]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, Problems)
    assert "bta: did you mean `beta`?" in str(refused.exception)
    assert "LOST" in refused.stdout
    assert not (tmp_path / "recipe.yaml").exists()
    assert CliRunner().invoke(app, [*command, "--keep-going"]).exit_code == 0
    assert load_recipe(tmp_path / "recipe.yaml").train.beta == 0.1

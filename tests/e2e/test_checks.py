"""After a training: what should have moved did, nothing else, and what was saved says what was trained."""

import json

import pytest
import torch
from prefloop.errors import UserError
from prefloop.models import load_tokenizer
from prefloop.train import TrainSettings, train_dpo
from prefloop.train.checks.moved import Moved, checksums, look_what_moved
from prefloop.train.checks.read_back import read_back
from prefloop.train.saving import write_weights
from prefloop.train.speed.reference import cache_reference
from prefloop.train.trainer import build_trainer

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(learning_rate=1e-3, batch_size=4, max_length=128, lora_rank=4, lora_alpha=8)


@pytest.fixture
def trainer(make_pairs, tiny_model, tmp_path):
    built = build_trainer(
        make_pairs(6),
        QUICK,
        base=tiny_model,
        tokenizer=load_tokenizer(tiny_model.path),
        checkpoints=tmp_path / "checkpoints",
        longest=128,
    )
    cache_reference(built, 3, lambda done, total: None)
    return built


def named(trainer, part):
    return next((name, value) for name, value in trainer.model.named_parameters() if part in name)


def test_a_training_leaves_its_checks(make_pairs, tiny_model, tmp_path, caplog):
    with caplog.at_level("INFO", "prefloop.train"):
        train_dpo(make_pairs(20), QUICK, base=tiny_model, folder=tmp_path / "run")
    found = json.loads((tmp_path / "run" / "checks.json").read_text())
    assert found["first_step"]["log_ratio"] < found["first_step"]["tolerance"]
    assert found["moved"]["still"] == found["moved"]["changed"] == []
    assert found["moved"]["trained"] == 28
    assert found["moved"]["frozen"] > 0
    assert found["read_back"]["difference"] == 0.0
    assert found["read_back"]["pairs"] > 0
    assert "never moved" not in caplog.text
    assert sum("the first step took" in line for line in caplog.messages) == 1


def test_a_tensor_that_stays_or_moves_against_the_plan_is_named(trainer):
    before = checksums(trainer)
    assert len(before) == len(list(trainer.model.parameters()))
    with torch.no_grad():
        for name, value in trainer.model.named_parameters():
            if value.requires_grad and "layers.0.self_attn.q_proj.lora_A" not in name:
                value.flatten()[0] += 1e-6
        named(trainer, "layers.1.mlp.up_proj.base_layer")[1].flatten()[3] += 1
    moved = look_what_moved(trainer, before)
    (quiet,) = moved.still
    assert quiet.endswith("layers.0.self_attn.q_proj.lora_A.default.weight")
    still, changed = moved.warnings(steps=4)
    assert "1 of 28 trained tensors never moved: model.layers.0.self_attn.q_proj.lora_A" in still
    assert "layers.1.mlp.up_proj.base_layer.weight; don't trust" in changed


def test_too_few_steps_prove_nothing():
    assert Moved(2, ("a",), 2, ()).warnings(steps=3) == []
    assert len(Moved(2, ("a",), 2, ()).warnings(steps=4)) == 1


def test_what_was_saved_is_read_back_and_a_wrong_file_is_told(trainer, tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    with torch.no_grad():
        for name, value in trainer.model.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.1)
    write_weights(trainer, None, QUICK, tiny_model, tmp_path / "saved")
    found = read_back(trainer, tmp_path / "saved", QUICK)
    assert (found.pairs, found.difference) == (2, 0.0)
    assert trainer.model.active_adapter == "default"
    assert set(trainer.model.peft_config) == {"default"}
    path = tmp_path / "saved" / "adapter_model.safetensors"
    save_file({name: value * 0.9 for name, value in load_file(path).items()}, path)
    with pytest.raises(UserError, match="does not say what was trained: on pair"):
        read_back(trainer, tmp_path / "saved", QUICK)

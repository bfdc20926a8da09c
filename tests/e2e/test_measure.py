"""Estimates held against what a real step takes."""

import subprocess
import sys

import pytest
import torch
from prefloop.errors import UserError
from prefloop.train import TrainSettings
from prefloop.train.checks.estimate import footprint, memory
from prefloop.train.checks.fit import check_fit

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

FACTOR = 2.0
"""How far estimate and measured peak may lie apart; docs/preflight.md has what was measured on larger models."""
STEP = """
import sys
from pathlib import Path
from prefloop.collect import read_pairs
from prefloop.models import load_tokenizer, resolve_model
from prefloop.train import TrainSettings
from prefloop.train.checks.measure import measure_step
base, pairs = resolve_model(sys.argv[1]), read_pairs(Path(sys.argv[2]))
settings = TrainSettings.model_validate_json(sys.argv[3])
found = measure_step(pairs, settings, base=base, tokenizer=load_tokenizer(base.path), longest=int(sys.argv[4]))
print("measured", found.pairs, found.tokens, found.seconds, found.reference_seconds, found.peak)
"""


def test_the_estimate_is_within_a_factor_of_a_measured_step(tiny_model, make_pairs, tmp_path):
    """In a process of its own: memory that earlier tests have left behind is not the step's."""
    from prefloop.collect import write_rows

    settings = TrainSettings(batch_size=8, max_length=256)
    write_rows(tmp_path / "pairs.jsonl", make_pairs(12))
    arguments = [str(tiny_model.path), str(tmp_path / "pairs.jsonl"), settings.model_dump_json(), "80"]
    done = subprocess.run([sys.executable, "-c", STEP, *arguments], capture_output=True, text=True, check=True)
    pairs, tokens, seconds, reference, peak = done.stdout.split("measured ")[1].split()
    assert int(pairs) == 8
    assert int(tokens) > 8 * 2 * 40
    assert float(seconds) > 0
    assert float(reference) > 0
    estimated = memory(footprint(tiny_model.path, settings, 80), settings, device="cpu").total
    assert 1 / FACTOR < estimated / int(peak) < FACTOR


def test_weights_are_counted_to_the_last_one_without_loading_them(tiny_model, tmp_path):
    from prefloop.train.trainer import policy_to_train
    from safetensors import safe_open

    settings = TrainSettings(lora_rank=4)
    found = footprint(tiny_model.path, settings, 64)
    with safe_open(tiny_model.path / "model.safetensors", "pt") as file:
        stored = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
    assert found.frozen_linear + found.frozen_other == stored
    model, config = policy_to_train(tiny_model, settings, 64)
    from peft import get_peft_model

    trained = sum(each.numel() for each in get_peft_model(model, config).parameters() if each.requires_grad)
    assert found.trained == trained
    whole = footprint(tiny_model.path, TrainSettings(use_peft=False), 64)
    assert (whole.frozen_linear + whole.frozen_other, whole.trained) == (0, stored)


def test_what_autograd_keeps_is_what_it_keeps_on_real_tensors(tiny_model):
    """The meta device's count against the same count with contents, under the trainer's own autocast."""
    from peft import get_peft_model
    from prefloop.train.trainer import policy_to_train

    settings, tokens = TrainSettings(lora_rank=4), 64
    model = get_peft_model(*policy_to_train(tiny_model, settings, tokens))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    frozen = {value.untyped_storage().data_ptr() for value in model.parameters()}
    sizes, alive = {}, []

    def store(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen:
            sizes[storage.data_ptr()] = storage.nbytes()
            alive.append(storage)
        return tensor

    mask = torch.zeros(2, 1, tokens, tokens, dtype=torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model.get_base_model().base_model(
            input_ids=torch.zeros(2, tokens, dtype=torch.long), attention_mask=mask, use_cache=False
        )
    found = footprint(tiny_model.path, settings, tokens)
    assert found.fixed + found.per_pair == pytest.approx(sum(sizes.values()), rel=0.1)


def test_four_bits_and_checkpointing_need_less(tiny_model):
    settings = TrainSettings(batch_size=8)
    found = footprint(tiny_model.path, settings, 400)
    plain = memory(found, settings, device="cpu")
    packed = memory(found, settings.model_copy(update={"quantization": "nf4"}), device="cpu")
    again = memory(found, settings.model_copy(update={"gradient_checkpointing": True}), device="cpu")
    assert packed.weights < plain.weights
    assert again.activations < plain.activations


def test_an_unknown_layer_is_named_before_anything_is_loaded(tiny_model):
    with pytest.raises(UserError, match="Wqkv is no linear layer"):
        check_fit(tiny_model.path, TrainSettings(target_modules=("Wqkv",)), 64)


def test_a_tiny_model_fits(tiny_model):
    found = check_fit(tiny_model.path, TrainSettings(), 64)
    assert found.fits
    assert found.warnings == ()

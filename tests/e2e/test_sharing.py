"""Trainings that share a base in memory: each gives the very weights that it would give alone."""

import pytest
import torch
from prefloop.models import load_model
from prefloop.train import TrainSettings, train_dpo
from prefloop.train.scale.sharing import SharedBase

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(learning_rate=1e-3, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8)


def weights(model):
    return {name: each.detach().clone() for name, each in model.named_parameters()}


def test_a_second_training_on_a_shared_base_equals_a_lone_one(tiny_model, make_pairs, tmp_path):
    pairs, shared = make_pairs(12), SharedBase(tiny_model)
    before = weights(shared.policy(tiny_model, QUICK, 100))
    first = train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path / "first", load=shared.policy)
    shared.tuned(first.path)
    other = QUICK.model_copy(update={"beta": 0.5, "lora_rank": 8, "gradient_checkpointing": True})
    second = train_dpo(pairs, other, base=tiny_model, folder=tmp_path / "second", load=shared.policy)
    alone = train_dpo(pairs, other, base=tiny_model, folder=tmp_path / "alone")
    assert second.sha256 == alone.sha256
    assert second.sha256 != first.sha256
    after = weights(shared.policy(tiny_model, QUICK, 100))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_adapter_on_the_shared_base_says_what_it_says_on_a_loaded_one(tiny_model, make_pairs, tmp_path):
    shared = SharedBase(tiny_model)
    adapter = train_dpo(make_pairs(8), QUICK, base=tiny_model, folder=tmp_path, load=shared.policy)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    with torch.no_grad():
        ours = shared.tuned(adapter.path)(ids).logits
        theirs = load_model(tiny_model.path, adapter=adapter.path)(ids).logits
        plain = load_model(tiny_model.path)(ids).logits
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, plain)


def test_shared_weights_that_a_training_wrote_into_are_not_lent_again(tiny_model):
    shared = SharedBase(tiny_model)
    lent = shared.policy(tiny_model, QUICK, 100)
    clean = weights(lent)
    with torch.no_grad():
        next(lent.parameters())[0, 0] += 1.0
    assert all(torch.equal(each, clean[name]) for name, each in weights(shared.policy(tiny_model, QUICK, 100)).items())

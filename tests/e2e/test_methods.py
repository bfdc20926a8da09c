"""Every way to train: each moves what it says it trains and nothing else, by the smallest step that anyone takes."""

import gc
import importlib.util

import pytest
import torch
from prefloop.collect import Message, PreferencePair
from prefloop.models import load_tokenizer
from prefloop.train import TrainSettings
from prefloop.train.reference import cache_reference
from prefloop.train.trainer import build_trainer
from transformers import PreTrainedModel

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
    pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes"),
]

QUICK = TrainSettings(learning_rate=1e-3, epochs=2, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8)
KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "qlora": {"quantization": "nf4"},
    "qdora": {"quantization": "nf4", "use_dora": True},
    "full": {"use_peft": False, "lora_rank": 16, "lora_alpha": 32},
}


@pytest.fixture(scope="module")
def pairs():
    def pair(number):
        prompt = (Message("user", f"Where is parcel {number}?"),)
        return PreferencePair(
            prompt, f"Parcel {number} arrives today.", "No idea" + "!" * (number % 4), 1.0, "i", ("v",)
        )

    return [pair(number) for number in range(10)]


@pytest.fixture
def trainer_of(tiny_model, pairs, tmp_path):
    def build(**changed):
        return build_trainer(
            pairs,
            TrainSettings.model_validate(QUICK.model_dump() | changed),
            base=tiny_model,
            tokenizer=load_tokenizer(tiny_model.path),
            checkpoints=tmp_path / "checkpoints",
            longest=100,
        )

    return build


def moved(name, start, parameter):
    """Whether any number changed; bitsandbytes packs frozen weights anew, so those are compared as bytes."""
    return not torch.equal(parameter.detach().reshape(-1), start[name].reshape(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_trained_moves_and_nothing_else(kind, trainer_of):
    if "q" in kind and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("the qlora extra is not installed")
    trainer = trainer_of(**KINDS[kind], learning_rate=5e-6, warmup=0.0)
    cache_reference(trainer, 4, lambda done, total: None)
    start = {name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()}
    trainer.train()
    after = dict(trainer.model.named_parameters())
    trainable = {name for name, parameter in after.items() if parameter.requires_grad}
    expected = {name for name in after if kind == "full" or "lora_" in name}
    assert trainable == expected
    assert any("magnitude" in name for name in trainable) == ("dora" in kind)
    assert {after[name].dtype for name in trainable} == {torch.float32}
    assert {name for name, parameter in after.items() if moved(name, start, parameter)} == trainable
    logged = [row for row in trainer.state.log_history if "rewards/margins" in row]
    # The policy starts as the reference, but for the rounding of other batches.
    assert abs(logged[0]["rewards/margins"]) < 0.05


def test_the_fast_head_trains_the_vocabulary_as_trl_does(trainer_of):
    """Contract with TRL 1.16, where all weights are trained: the head's own gradient."""
    from prefloop.train import trainer as ours
    from prefloop.train.completion_head import score_responses_only

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "score_responses_only", lambda model: None)
        trainer = trainer_of(**KINDS["full"])
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)

    def run():
        trainer.model.zero_grad()
        found = trainer.model(batch["input_ids"], labels=labels, fused_lm_head=True, use_cache=False)
        found.loss.backward()
        return found.label_mask, {name: weight.grad.clone() for name, weight in trainer.model.named_parameters()}

    their_mask, theirs = run()
    score_responses_only(trainer.model)
    mask, found = run()
    assert torch.equal(mask, their_mask)
    for name, grad in theirs.items():
        torch.testing.assert_close(found[name], grad, rtol=1e-3, atol=1e-3 * float(grad.abs().max()) + 1e-8)


def large_models():
    gc.collect()
    kinds = [found for found in gc.get_objects() if issubclass(type(found), PreTrainedModel)]
    return sum(sum(parameter.numel() for parameter in model.parameters()) > 1e6 for model in kinds)


def test_full_fine_tuning_holds_the_base_once(trainer_of):
    before = large_models()
    trainer = trainer_of(**KINDS["full"])
    # The inner model counts too: a causal model and the decoder in it.
    assert large_models() - before == 2
    cache_reference(trainer, 4, lambda done, total: None)
    assert trainer.precompute_ref_logps
    assert trainer.ref_model is None

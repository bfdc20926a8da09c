"""Every way to train: each moves what it says it trains and nothing else, by the smallest step that anyone takes."""

import gc
import importlib.util
import json
import shutil

import pytest
import torch
from prefloop.collect import Message, PreferencePair
from prefloop.errors import Problems, UserError
from prefloop.models import load_model, load_tokenizer
from prefloop.train import TrainSettings, read_adapter, train_dpo
from prefloop.train.continuing import base_adapter_sha256, continued
from prefloop.train.reference import cache_reference
from prefloop.train.rows import tokenise
from prefloop.train.trainer import build_trainer
from safetensors.torch import load_file
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
        patch.setattr(ours, "score_responses_only", lambda model, **_: None)
        trainer = trainer_of(**KINDS["full"])
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)

    def run():
        trainer.model.zero_grad()
        found = trainer.model(batch["input_ids"], labels=labels, fused_lm_head=True, use_cache=False)
        found.loss.backward()
        return found.label_mask, {name: weight.grad.clone() for name, weight in trainer.model.named_parameters()}

    their_mask, theirs = run()
    score_responses_only(trainer.model, share_prompts=True)
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


def weights(adapter):
    return load_file(adapter.path / "adapter_model.safetensors")


def logged(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def chosen_log_probability(model, tokens):
    ids = torch.tensor([tokens.prompt + tokens.chosen])
    with torch.no_grad():
        found = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float(), -1).gather(-1, ids[0, 1:, None])[:, 0]
    return float(found[len(tokens.prompt) - 1 :].sum())


@pytest.fixture(scope="module")
def first(tiny_model, pairs, tmp_path_factory):
    """An adapter that another training can go on from."""
    return train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path_factory.mktemp("first"))


def test_an_adapter_is_continued_with_its_own_policy_as_reference(first, tiny_model, pairs, tmp_path):
    settings = QUICK.model_copy(update={"base_adapter": first.path, "learning_rate": 1e-4})
    again = train_dpo(pairs, settings, base=tiny_model, folder=tmp_path)
    rows = logged(tmp_path)
    assert first.metrics["rewards/margins"] > 0.3, "it is far from the base"
    assert abs(rows[0]["rewards/margins"]) < 0.05, "and yet its own reference"
    # One adapter, that goes on the base and starts where the first one ended.
    assert {path.name for path in again.path.iterdir()} == {path.name for path in first.path.iterdir()}
    assert weights(again).keys() == weights(first).keys()
    moved = max(float((weights(again)[name] - value).abs().max()) for name, value in weights(first).items())
    assert 0 < moved < 2e-3
    tokens = tokenise(pairs[0], load_tokenizer(again.path))
    base, before, after = (
        chosen_log_probability(load_model(tiny_model.path, adapter=path), tokens)
        for path in (None, first.path, again.path)
    )
    assert abs(after - before) < abs(before - base)
    assert again.base_adapter_sha256 == first.sha256
    assert read_adapter(again.path) == again


def test_a_continued_training_resumes_to_the_same_weights(first, tiny_model, pairs, tmp_path):
    class Killed(Exception):
        """Stands for a power cut."""

    def stop(done, total):
        if done > 10 + 60 * 4.5 / 6:
            raise Killed

    settings = QUICK.model_copy(update={"base_adapter": first.path, "save_every": 2})
    whole = train_dpo(pairs, settings, base=tiny_model, folder=tmp_path / "whole")
    with pytest.raises(Killed):
        train_dpo(pairs, settings, base=tiny_model, folder=tmp_path / "cut", progress=stop)
    assert train_dpo(pairs, settings, base=tiny_model, folder=tmp_path / "cut").sha256 == whole.sha256


def test_an_adapter_that_cannot_be_continued_is_refused_with_all_reasons(first, tiny_model, small_model, tmp_path):
    def check(path, base=tiny_model, **changed):
        return base_adapter_sha256(QUICK.model_copy(update={"base_adapter": path} | changed), base)

    assert check(first.path) == first.sha256
    with pytest.raises(Problems) as caught:
        check(first.path, lora_rank=8, use_dora=True)
    assert len(caught.value.problems) == 2
    with pytest.raises(UserError, match="was trained on"):
        check(first.path, small_model)
    with pytest.raises(UserError, match="no adapter folder"):
        check(tiny_model.path)
    with pytest.raises(UserError, match=r"set target_modules: \[down_proj, "):
        settings = QUICK.model_copy(update={"target_modules": ("q_proj",)})
        continued(load_model(tiny_model.path), first.path, settings)
    with pytest.raises(UserError, match="does not fit"):
        continued(load_model(small_model.path), first.path, QUICK)
    plain = tmp_path / "plain"
    shutil.copytree(first.path, plain)
    (plain / "prefloop.json").unlink()
    assert check(plain) == first.sha256
    (plain / "adapter_model.safetensors").rename(plain / "adapter_model.bin")
    with pytest.raises(UserError, match="pickle"):
        check(plain)


def test_full_fine_tuning_makes_a_whole_model(tiny_model, pairs, tmp_path):
    settings = TrainSettings(learning_rate=1e-4, epochs=2, batch_size=4, max_length=256, use_peft=False)
    made = train_dpo(pairs, settings, base=tiny_model, folder=tmp_path)
    assert made.whole
    assert read_adapter(made.path) == made
    rows = logged(tmp_path)
    assert abs(rows[0]["rewards/margins"]) < 0.05
    assert rows[-1]["rewards/margins"] > 0.3
    # What was saved, rounded, is what was trained, as autocast rounded it: the margin that was logged is there again.
    base, tuned = load_model(tiny_model.path), load_model(made.path)
    assert {parameter.dtype for parameter in tuned.parameters()} == {torch.bfloat16}
    tokens = tokenise(pairs[0], load_tokenizer(made.path))
    gained = chosen_log_probability(tuned, tokens) - chosen_log_probability(base, tokens)
    assert gained > 1
    assert train_dpo(pairs, settings, base=tiny_model, folder=tmp_path / "again").sha256 == made.sha256

"""Every way to train: each moves what it says it trains and nothing else, by the smallest step that anyone takes."""

import gc
import importlib.util
import json
import shutil
from typing import get_args

import pytest
import torch
from prefloop.collect import Item, Message, PreferencePair, seal
from prefloop.collect.item import Origin
from prefloop.errors import Problems, UserError
from prefloop.models import load_model, load_tokenizer, resolve_model
from prefloop.train import TrainSettings, read_adapter, train_dpo
from prefloop.train.continuing import base_adapter_sha256, continued
from prefloop.train.rows import tokenise
from prefloop.train.settings import Loss
from prefloop.train.sft import Demonstration, SftSettings
from prefloop.train.speed.reference import cache_reference
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
    from prefloop.train.speed.completion_head import score_responses_only
    from prefloop.train.speed.side_by_side import Lanes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "score_responses_only", lambda model, **_: None)
        trainer = trainer_of(**KINDS["full"])
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    asked = {name: batch[name] for name in ("input_ids", "attention_mask")}
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)

    def run():
        trainer.model.zero_grad()
        found = trainer.model(**asked, labels=labels, fused_lm_head=True, use_cache=False)
        found.loss.backward()
        return found.label_mask, {name: weight.grad.clone() for name, weight in trainer.model.named_parameters()}

    their_mask, theirs = run()
    score_responses_only(trainer.model, lanes=Lanes(2))
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


class Killed(Exception):
    """Stands for a power cut."""


@pytest.fixture(scope="module")
def first(tiny_model, pairs, tmp_path_factory):
    """An adapter that another training can go on from."""
    settings = QUICK.model_copy(update={"learning_rate": 5e-3})
    return train_dpo(pairs, settings, base=tiny_model, folder=tmp_path_factory.mktemp("first"))


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
    elsewhere = QUICK.model_copy(update={"target_modules": ("q_proj",)})
    with pytest.raises(UserError, match=r"set target_modules: \[down_proj, "):
        continued(load_model(tiny_model.path), first.path, elsewhere)
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
    settings = TrainSettings(learning_rate=1e-3, epochs=2, batch_size=4, max_length=256, use_peft=False)
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


def test_every_loss_takes_a_step(trainer_of):
    trainer = trainer_of()
    batch = next(iter(trainer.get_train_dataloader()))
    for ld_alpha in (None, 0.5):
        trainer.ld_alpha = ld_alpha
        for loss_type in get_args(Loss):
            trainer.loss_types, trainer.label_smoothing = [loss_type], 0.001 if loss_type == "exo_pair" else 0.0
            trainer.model.zero_grad()
            loss = trainer.compute_loss(trainer.model, batch)
            loss.backward()
            gradients = [weight.grad for weight in trainer.model.parameters() if weight.grad is not None]
            assert torch.isfinite(loss), loss_type
            assert all(torch.isfinite(gradient).all() for gradient in gradients), loss_type
            assert any(float(gradient.abs().max()) > 0 for gradient in gradients), loss_type


def test_tokens_beyond_the_shorter_answer_count_by_ld_alpha(trainer_of):
    """At 0 a side's log-probability is that of as many tokens as the shorter side has."""
    trainer = trainer_of()
    batch = trainer.data_collator([trainer.train_dataset[0]])
    found = {}
    for alpha in (None, 1.0, 0.5, 0.0):
        trainer.ld_alpha = alpha
        found[alpha] = torch.stack(trainer.compute_ref_log_probs(trainer.model, batch))[:, 0]
    torch.testing.assert_close(found[None], found[1.0])
    longer = int((found[0.0] != found[1.0]).nonzero())
    assert found[0.0][1 - longer] == found[1.0][1 - longer]
    torch.testing.assert_close(found[0.5][longer], (found[0.0] + found[1.0])[longer] / 2)


@pytest.fixture(scope="module")
def warmed(tiny_model, pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("warmed")
    seen = []
    adapter = train_dpo(
        pairs, WARM, base=tiny_model, folder=folder, progress=lambda done, total: seen.append((done, total))
    )
    return adapter, folder, seen


WARM = QUICK.model_copy(update={"sft": SftSettings(learning_rate=5e-3, epochs=2), "save_every": 2})


def test_a_supervised_stage_comes_first_and_is_the_reference(warmed, tiny_model, pairs):
    adapter, folder, seen = warmed
    learned = logged(folder / "sft")
    assert learned[-1]["loss"] < learned[0]["loss"] - 1
    assert abs(logged(folder)[0]["rewards/margins"]) < 0.05
    told = json.loads((folder / "sft" / "sft.json").read_text())
    assert (told["demonstrations"], told["trained_on"], told["dropped"], told["cut"]) == (10, 10, [], [])
    # One adapter on the base holds both stages, and gives the demonstrated answers.
    base, tuned = load_model(tiny_model.path), load_model(tiny_model.path, adapter=adapter.path)
    tokens = tokenise(pairs[0], load_tokenizer(adapter.path))
    assert chosen_log_probability(tuned, tokens) > chosen_log_probability(base, tokens) + 10
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert {path.name for path in (folder / "sft").iterdir()} == {"metrics.jsonl", "sft.json", "start"}


def test_a_stage_that_was_killed_is_resumed_and_one_that_is_whole_is_kept(warmed, tiny_model, pairs, tmp_path, caplog):
    def stop(done, total):
        if done > 0.6 * 40:
            raise Killed

    with pytest.raises(Killed):
        train_dpo(pairs, WARM, base=tiny_model, folder=tmp_path, progress=stop)
    with caplog.at_level("INFO", "prefloop.train"):
        resumed = train_dpo(pairs, WARM, base=tiny_model, folder=tmp_path)
        assert "resuming the supervised stage from step" in caplog.text
        assert resumed.sha256 == warmed[0].sha256
        train_dpo(pairs, WARM.model_copy(update={"beta": 0.2}), base=tiny_model, folder=tmp_path)
    assert "holds the supervised stage already" in caplog.text


def test_a_base_without_a_template_learns_to_answer_with_all_its_weights(tiny_model, pairs, tmp_path):
    """Full fine-tuning of a base model: a template of the recipe's own, demonstrations of a file, then DPO."""
    bare = tmp_path / "bare"
    shutil.copytree(tiny_model.path, bare)
    (bare / "chat_template.jinja").unlink()
    base = resolve_model(str(bare))
    (tmp_path / "chat.jinja").write_text(
        "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}{{ eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    rows = [
        {"messages": [{"role": "user", "content": f"Where is {n}?"}, {"role": "assistant", "content": "Here."}]}
        for n in range(6)
    ]
    (tmp_path / "shown.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = TrainSettings(
        learning_rate=1e-4,
        batch_size=4,
        max_length=256,
        use_peft=False,
        chat_template=tmp_path / "chat.jinja",
        sft=SftSettings(data=tmp_path / "shown.jsonl", learning_rate=1e-3, epochs=2),
    )
    with pytest.raises(Problems, match="no chat template"):
        train_dpo(pairs, settings.model_copy(update={"chat_template": None}), base=base, folder=tmp_path / "none")
    made = train_dpo(pairs, settings, base=base, folder=tmp_path / "run")
    assert logged(tmp_path / "run" / "sft")[-1]["loss"] < logged(tmp_path / "run" / "sft")[0]["loss"] - 1
    assert abs(logged(tmp_path / "run")[0]["rewards/margins"]) < 0.05
    assert load_tokenizer(made.path).chat_template == (tmp_path / "chat.jinja").read_text()
    assert (made.sft_data_sha256 is None, made.chat_template_sha256 is None) == (False, False)
    (tmp_path / "chat.jinja").write_text("{% if %}")
    with pytest.raises(UserError, match="does not render"):
        train_dpo(pairs, settings, base=base, folder=tmp_path / "run")


def test_demonstrations_on_sealed_prompts_are_refused(tiny_model, pairs, tmp_path):
    author = Origin("person", "Ada")
    shown = [Demonstration(pairs[0].prompt, "Here.")]
    held = seal([Item(pairs[0].prompt, "a", "b", author, author)], 1.0, 0, tmp_path / "sealed.json")
    with pytest.raises(Problems, match=shown[0].as_pair().id):
        train_dpo([], WARM, base=tiny_model, folder=tmp_path / "run", sealed=held, demonstrations=shown)

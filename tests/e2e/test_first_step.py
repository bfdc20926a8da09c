"""Step 0: the policy is its reference, or the run stops and says why."""

import random

import pytest
import torch
from prefloop.errors import UserError
from prefloop.models import load_tokenizer
from prefloop.train import TrainSettings, train_dpo
from prefloop.train import dpo as training
from prefloop.train.checks.first_step import AT_ZERO, check_first_step, expected_loss
from prefloop.train.settings import Loss
from prefloop.train.speed.reference import cache_reference
from prefloop.train.trainer import build_trainer

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(learning_rate=1e-3, batch_size=4, max_length=96, lora_rank=4, lora_alpha=8)


@pytest.fixture(scope="module")
def pairs():
    from prefloop.collect import Message, PreferencePair

    def pair(number):
        chosen = f"Parcel {number} arrives today, " + "and so does the next one, " * (number % 3)
        rejected = "No idea" + " at all" * (number % 4)
        prompt = (Message("user", f"Where is parcel {number}?"),)
        return PreferencePair(prompt, chosen, rejected, 1.0, f"i{number}", ("v",))

    return [pair(number) for number in range(10)]


@pytest.fixture
def build(pairs, tiny_model, tmp_path):
    def make(settings=QUICK, *, base=tiny_model, reference=True):
        trainer = build_trainer(
            pairs,
            settings,
            base=base,
            tokenizer=load_tokenizer(tiny_model.path),
            checkpoints=tmp_path / "checkpoints",
            longest=settings.max_length,
        )
        if reference:
            cache_reference(trainer, 3, lambda done, total: None)
        return trainer

    return make


def referred(trainer, other):
    """Give the trainer the other one's reference."""
    rows = trainer.train_dataset
    for name in ("ref_chosen_logps", "ref_rejected_logps"):
        if name in rows.column_names:
            rows = rows.remove_columns(name)
        rows = rows.add_column(name, list(other.train_dataset[name]))
    trainer.train_dataset, trainer.precompute_ref_logps = rows, True
    return trainer


def test_a_sound_run_passes_and_nothing_is_left_behind(build):
    trainer = build()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    python, torch_state = random.getstate(), torch.get_rng_state()
    found = check_first_step(trainer, QUICK)
    assert (found.pairs, found.expected) == (4, pytest.approx(0.6931, abs=1e-4))
    assert found.log_ratio < found.tolerance / 2
    assert found.loss == pytest.approx(found.expected, abs=0.1)
    assert found.loss_at_zero == pytest.approx(found.expected, rel=1e-6)
    assert random.getstate() == python
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert dict(trainer._metrics["train"]) == {}
    assert trainer._total_train_tokens == 0
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_every_loss_of_trl_is_at_zero_what_the_formulas_say(build):
    """Contract with TRL 1.16."""
    trainer = build()
    assert set(AT_ZERO) | {"sft"} == set(Loss.__args__)
    for name in Loss.__args__:
        settings = QUICK.model_copy(update={"loss_type": (name,), "beta": 0.7, "label_smoothing": 0.2})
        trainer.loss_types, trainer.loss_weights, trainer.beta, trainer.label_smoothing = [name], [1.0], 0.7, 0.2
        found = check_first_step(trainer, settings)
        assert found.loss_at_zero == pytest.approx(found.expected, rel=1e-4), name
    both = QUICK.model_copy(update={"loss_type": ("hinge", "sft"), "loss_weights": (2.0, 0.5)})
    trainer.loss_types, trainer.loss_weights, trainer.beta = ["hinge", "sft"], [2.0, 0.5], 0.1
    assert check_first_step(trainer, both).expected > 2.0
    assert expected_loss(both, 3.0) == 3.5
    with pytest.raises(UserError, match="another version of TRL"):
        check_first_step(trainer, QUICK)


def test_weights_are_the_same_with_and_without_the_check(pairs, tiny_model, tmp_path, monkeypatch):
    checked = train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path / "with")
    monkeypatch.setattr(training, "check_first_step", lambda trainer, settings, **_: None)
    assert train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path / "without").sha256 == checked.sha256


def test_a_reference_of_another_truncation_is_told(build):
    short = build(QUICK.model_copy(update={"max_length": 48}))
    with pytest.raises(UserError, match="made with max_length 48, not 96"):
        check_first_step(referred(build(reference=False), short), QUICK)
    with pytest.raises(UserError, match="a larger max_length than 48"):
        check_first_step(
            referred(build(QUICK.model_copy(update={"max_length": 48}), reference=False), build()),
            QUICK.model_copy(update={"max_length": 48}),
        )


def test_a_reference_of_another_ld_alpha_is_told(build):
    trainer = build(reference=False)
    trainer.ld_alpha = 0.2
    cache_reference(trainer, 3, lambda done, total: None)
    check_first_step(trainer, QUICK)  # as long as both sides know of it
    trainer.ld_alpha = None
    with pytest.raises(UserError, match=r"made with ld_alpha 0\.2;"):
        check_first_step(trainer, QUICK)
    plain = build()
    plain.ld_alpha = 0.2
    with pytest.raises(UserError, match="made with no ld_alpha"):
        check_first_step(plain, QUICK)


def test_an_adapter_that_is_not_neutral_is_told(build):
    trainer = build()
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "layers.1.self_attn.v_proj.lora_B" in name:
                parameter.normal_(std=0.5)
    with pytest.raises(UserError, match=r"1 of its matrices .* do not \(model\.layers\.1\.self_attn\.v_proj\.lora_B"):
        check_first_step(trainer, QUICK)


def test_dropout_is_told_even_where_no_layer_carries_its_name(build):
    trainer = build()
    trainer.model.config.attention_dropout = 0.3
    for module in trainer.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.3
    with pytest.raises(UserError, match=r"dropout is on \(attention_dropout 0\.3 in config\.json\)"):
        check_first_step(trainer, QUICK)


def test_a_reference_of_another_base_is_told(build):
    trainer = build()
    with torch.no_grad():
        trainer.model.get_base_model().model.layers[0].mlp.up_proj.weight.mul_(1.5)
    with pytest.raises(UserError, match="another base model, type or quantisation"):
        check_first_step(trainer, QUICK)


def test_a_model_that_speaks_no_numbers_is_told(build):
    trainer = build()
    with torch.no_grad():
        trainer.model.get_base_model().model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="not finite"):
        check_first_step(trainer, QUICK)


def test_a_run_ends_before_its_first_step_and_leaves_no_adapter(pairs, tiny_model, tmp_path, monkeypatch):
    from prefloop.train.speed import reference

    def stale(trainer, batch_size, progress, *rest, **named):
        cache_reference(trainer, batch_size, progress, *rest, **named)
        rows = trainer.train_dataset
        values = [value - 50 for value in rows["ref_chosen_logps"]]
        trainer.train_dataset = rows.remove_columns("ref_chosen_logps").add_column("ref_chosen_logps", values)

    monkeypatch.setattr(reference, "cache_reference", stale)
    with pytest.raises(UserError, match=r"before the first step the policy is not its reference: for the chosen"):
        train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path)
    assert not (tmp_path / "adapter").exists()
    assert not (tmp_path / "metrics.jsonl").exists() or (tmp_path / "metrics.jsonl").read_text() == ""


def test_votes_and_whole_models_pass(build):
    weighted = TrainSettings.model_validate(QUICK.model_dump() | {"votes": {"weights": True, "targets": "soft"}})
    whole = TrainSettings(learning_rate=1e-5, batch_size=4, max_length=96, use_peft=False)
    for settings in (weighted, whole):
        found = check_first_step(build(settings), settings)
        assert found.loss_at_zero == pytest.approx(0.6931, abs=1e-4)
        assert found.log_ratio < found.tolerance / 2

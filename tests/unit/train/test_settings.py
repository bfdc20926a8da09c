from typing import get_args

import pytest
from prefloop.train import TrainSettings
from prefloop.train.settings import Loss
from pydantic import ValidationError


def test_the_defaults_are_valid_and_survive_json():
    settings = TrainSettings()
    assert TrainSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"loss_type": ["kto_pair"]}, "'sigmoid_norm'"),
        ({"loss_type": []}, "at least 1"),
        ({"loss_type": ["sigmoid_norm"], "beta": 0.1}, "number of tokens"),
        ({"loss_type": ["sigmoid", "sigmoid_norm"], "beta": 5}, "one beta cannot serve both"),
        ({"loss_type": ["sigmoid", "sigmoid"]}, "twice"),
        ({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0]}, "1 weights for 2 losses"),
        ({"label_smoothing": 0.1}, "no effect on sigmoid"),
        ({"loss_type": ["exo_pair"]}, "label_smoothing above 0"),
        ({"batch_size": 8, "micro_batch_size": 3}, "does not divide"),
        ({"target_modules": ["q_proj", "lm_head"]}, "would never train"),
        ({"max_length": 8}, "greater than or equal to 16"),
        ({"learnin_rate": 1e-5}, "not permitted"),
    ],
)
def test_what_would_quietly_ruin_a_run_is_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        TrainSettings.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"loss_type": ["sigmoid_norm"], "beta": 5},
        {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]},
        {"loss_type": ["robust"], "label_smoothing": 0.1},
        {"target_modules": ["q_proj", "v_proj"], "quantization": "nf4"},
    ],
)
def test_published_combinations_are_allowed(given):
    TrainSettings.model_validate(given)


def test_all_problems_come_at_once():
    with pytest.raises(ValidationError) as caught:
        TrainSettings(label_smoothing=0.1, micro_batch_size=3)
    assert "no effect" in str(caught.value)
    assert "does not divide" in str(caught.value)


def test_pairs_in_memory_are_the_micro_batch_or_else_the_batch():
    assert TrainSettings(batch_size=6).in_memory == 6
    assert TrainSettings(batch_size=6, micro_batch_size=2).in_memory == 2


def test_the_losses_are_exactly_those_that_this_trl_knows():
    """TRL itself looks at the name no earlier than the first step."""
    import inspect
    import re

    from trl import DPOTrainer

    source = inspect.getsource(DPOTrainer._compute_loss)
    known = set(re.findall(r'loss_type == "(\w+)"', source))
    assert known == set(get_args(Loss))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"loss_type": ["sigmoid"], "beta": 5}, "per token, but sigmoid adds them up"),
        ({"loss_type": ["apo_zero"], "beta": 5}, "apo_zero adds them up"),
        ({"loss_type": ["sigmoid_norm"], "beta": 5, "ld_alpha": 0.5}, "sigmoid_norm divides by the number of tokens"),
        ({"ld_alpha": 1.5}, "less than or equal to 1"),
        ({"loss_type": ["aot"], "micro_batch_size": 1}, "aot sorts the pairs"),
        ({"use_peft": False, "use_dora": True}, "use_dora would have no effect"),
        ({"use_peft": False, "quantization": "nf4", "lora_rank": 8}, "lora_rank, quantization would have no effect"),
    ],
)
def test_combinations_that_do_nothing_or_ruin_a_run_are_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        TrainSettings.model_validate(given)

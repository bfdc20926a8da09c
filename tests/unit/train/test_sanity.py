"""Settings that are allowed and yet odd."""

import pytest
from prefloop.train import TrainSettings
from prefloop.train.checks.sanity import odd_settings, optimiser_steps


@pytest.mark.parametrize(
    ("changed", "pairs", "says"),
    [
        ({}, 16, "2 optimiser steps in all"),
        ({"warmup": 0.01}, 400, "less than one of 50 steps"),
        ({"epochs": 6}, 400, "learnt by heart"),
        ({"learning_rate": 5e-8}, 400, "below the 1e-06 to 0.002"),
        ({"learning_rate": 0.01}, 400, "above the"),
        ({"use_peft": False, "learning_rate": 5e-5}, 400, "between which whole models"),
        ({"lora_rank": 2}, 400, "scales the adapter by 16"),
        (
            {"lora_rank": 4, "lora_alpha": 64, "use_rslora": True},
            400,
            "the root of lora_rank 4 scales the adapter by 32",
        ),
        ({"beta": 1.5}, 400, "hardly lets the model move"),
        ({"loss_type": ("ipo",)}, 400, "towards 5,"),
        ({"loss_type": ("robust",)}, 400, "is the sigmoid loss"),
    ],
)
def test_each_oddity_is_said_and_alone(changed, pairs, says):
    (warning,) = odd_settings(TrainSettings(**changed), pairs)
    assert says in warning


def test_the_published_recipes_are_not_odd():
    for published in (
        {"beta": 0.01, "learning_rate": 5e-6, "batch_size": 16, "lora_rank": 128, "lora_alpha": 128},
        {"loss_type": ("sigmoid_norm",), "beta": 5, "learning_rate": 5e-7, "use_peft": False, "batch_size": 128},
        {"loss_type": ("apo_zero",), "beta": 0.05, "learning_rate": 1e-6, "use_peft": False, "batch_size": 32},
        {"beta": 0.5, "learning_rate": 1e-6, "use_peft": False, "epochs": 2},
        {"beta": 0.1, "learning_rate": 1e-4, "epochs": 5, "lora_rank": 64, "lora_alpha": 16},
    ):
        assert odd_settings(TrainSettings(**published), 20_000) == []
    assert odd_settings(TrainSettings(), 400) == []


def test_steps_count_the_smaller_last_batch():
    assert optimiser_steps(TrainSettings(batch_size=4, epochs=2), 10) == 6

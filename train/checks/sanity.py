"""Settings that each are allowed and together, or for this many pairs, hardly do what was meant."""

import math

from ..settings import SMALLEST_NORMALISED_BETA, TrainSettings

ADAPTER_RATES = (1e-6, 2e-3)
"""Learning rates outside which no adapter is known to train: published LoRA DPO recipes take 5e-6 to 1e-4."""
FULL_RATES = (1e-8, 1e-5)
"""The same where all weights train: published recipes take 8e-8 to 1e-6."""
FEWEST_STEPS = 10
MOST_EPOCHS = 5
LARGEST_BETA = 1.0
LARGEST_SCALE = 8.0
"""alpha / rank, or alpha / sqrt(rank) with rsLoRA; the published recipes take 0.25 to 4."""


def odd_settings(settings: TrainSettings, pairs: int) -> list[str]:
    """Return a warning for each oddity, given how many pairs there are to train on."""
    checks = (_steps, _warmup, _epochs, _rate, _scale, _beta, _ipo, _robust)
    return [warning for check in checks if (warning := check(settings, pairs))]


def optimiser_steps(settings: TrainSettings, pairs: int) -> int:
    """Return how many steps the training will take; the last batch of an epoch may be smaller."""
    return settings.epochs * math.ceil(pairs / settings.batch_size)


def _steps(settings: TrainSettings, pairs: int) -> str | None:
    steps = optimiser_steps(settings, pairs)
    if not pairs or steps >= FEWEST_STEPS:
        return None
    return (
        f"{pairs} pairs at batch_size {settings.batch_size} are {steps} optimiser steps in all, which hardly move "
        "the model; take a smaller batch_size, more epochs or more pairs"
    )


def _warmup(settings: TrainSettings, pairs: int) -> str | None:
    share = settings.warmup * optimiser_steps(settings, pairs)
    if not pairs or not settings.warmup or share >= 1 or optimiser_steps(settings, pairs) < FEWEST_STEPS:
        return None
    return f"warmup {settings.warmup:g} is less than one of {optimiser_steps(settings, pairs)} steps, so there is none"


def _epochs(settings: TrainSettings, pairs: int) -> str | None:
    if settings.epochs <= MOST_EPOCHS:
        return None
    return f"epochs {settings.epochs}: preferences are learnt by heart after two or three; watch held-out pairs"


def _rate(settings: TrainSettings, pairs: int) -> str | None:
    (smallest, largest), what = (ADAPTER_RATES, "adapters") if settings.use_peft else (FULL_RATES, "whole models")
    if smallest <= settings.learning_rate <= largest:
        return None
    side, does = ("below", "learn nothing") if settings.learning_rate < smallest else ("above", "fall apart")
    return (
        f"learning_rate {settings.learning_rate:g} is {side} the {smallest:g} to {largest:g} between which {what} "
        f"are known to train; it may well {does}"
    )


def _scale(settings: TrainSettings, pairs: int) -> str | None:
    root = math.sqrt(settings.lora_rank) if settings.use_rslora else settings.lora_rank
    scale = settings.lora_alpha / root
    if not settings.use_peft or scale <= LARGEST_SCALE:
        return None
    over = f"the root of lora_rank {settings.lora_rank}" if settings.use_rslora else f"lora_rank {settings.lora_rank}"
    return (
        f"lora_alpha {settings.lora_alpha:g} over {over} scales the adapter by {scale:g}, "
        "which multiplies the learning rate; 0.25 to 4 is usual"
    )


def _beta(settings: TrainSettings, pairs: int) -> str | None:
    if {"ipo", "sigmoid_norm", "sft"} & set(settings.loss_type) or settings.beta <= LARGEST_BETA:
        return None
    return (
        f"beta {settings.beta:g} is on the scale of losses that divide by the number of tokens; for "
        f"{', '.join(settings.loss_type)}, which sum, 0.05 to 0.5 is usual and this one hardly lets the model move"
    )


def _ipo(settings: TrainSettings, pairs: int) -> str | None:
    if "ipo" not in settings.loss_type or settings.beta >= SMALLEST_NORMALISED_BETA:
        return None
    return (
        f"ipo with beta {settings.beta} pulls the log-ratio per token towards {1 / (2 * settings.beta):g}, "
        "which is out of reach: only learning rate and epochs hold the model back"
    )


def _robust(settings: TrainSettings, pairs: int) -> str | None:
    if "robust" not in settings.loss_type or settings.label_smoothing:
        return None
    return "robust with label_smoothing 0 is the sigmoid loss; say what share of the labels may be wrong"

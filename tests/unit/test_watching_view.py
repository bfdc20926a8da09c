"""How a training looks where there is no terminal."""

from prefloop.commands.watching import facts_of, training_line, watched_training

STEP = {
    "step": 4,
    "loss": 0.6543,
    "rewards/accuracies": 0.75,
    "rewards/margins": 0.123,
    "pairs_per_second": 1.234,
    "memory_mb": 1536,
}
MEASURED = STEP | {
    "eval_rewards/accuracies": 0.61,
    "eval_rewards/accuracies_low": 0.55,
    "eval_rewards/accuracies_high": 0.67,
    "eval_longer": 0.58,
    "eval_rewards/margins": 0.21,
    "eval_chosen_drift": -3.14,
}


def test_a_row_is_a_line():
    assert training_line(STEP) == ("step 4: loss 0.654, accuracy 75%, margin 0.12, speed 1.2 pairs/s, memory 1.5 GiB")
    assert training_line(MEASURED) == (
        "step 4: loss 0.654, held-out accuracy 61% (55% to 67%), pick the longer 58%, margin 0.21, "
        "chosen drift -3.1 nats, speed 1.2 pairs/s, memory 1.5 GiB"
    )
    assert facts_of({"step": 1}) == []


def test_every_measurement_and_every_tenth_row_is_told(capsys):
    with watched_training("train") as view:
        for step in range(1, 22):
            view.metrics(MEASURED | {"step": step} if step == 15 else STEP | {"step": step})
    told = [line.split(":")[0].strip() for line in capsys.readouterr().err.splitlines()]
    assert told == ["step 1", "step 11", "step 15", "step 21"]

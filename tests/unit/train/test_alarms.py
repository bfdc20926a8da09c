"""Each alarm on rows that should set it off, and on ones that should not."""

import math

from prefloop.train.watching.alarms import alarm_history, alarms

GOOD = {
    "loss": 0.6,
    "grad_norm": 1.0,
    "rewards/margins": 0.5,
    "rewards/accuracies": 0.7,
    "log_ratio_per_token/chosen": 0.0,
}


def rows(count, **columns):
    """Rows of a training in which nothing is wrong but for `columns`: values, or functions of the step."""
    return [
        {"step": step} | GOOD | {name: value(step) if callable(value) else value for name, value in columns.items()}
        for step in range(1, count + 1)
    ]


def measured(row, **changes):
    held_out = {
        "eval_rewards/accuracies": 0.7,
        "eval_rewards/margins": 0.4,
        "eval_dpo_loss": 0.6,
        "eval_longer": 0.6,
        "eval_over_longer_low": 0.02,
        "eval_length_correlation": 0.1,
        "eval_length_correlation_low": -0.1,
        "eval_log_ratio_per_token/chosen": -0.05,
        "eval_chosen_fell": 0.6,
    }
    return row | held_out | changes


def names(given):
    return [alarm.name for alarm in alarms(given)]


def test_nothing_is_said_of_a_good_training():
    good = rows(60, **{"rewards/margins": lambda step: step / 100})
    assert alarms([]) == []
    assert names(good) == []
    assert names([*good[:-1], measured(good[-1])]) == []


def test_numbers_that_are_none():
    broken = rows(5, loss=lambda step: math.nan if step == 5 else 0.6)
    assert names(broken) == ["divergence"]
    assert "loss is not a number" in alarms(broken)[0].seen
    assert names(rows(5, grad_norm=lambda step: math.inf if step == 5 else 1.0)) == ["divergence"]


def test_a_gradient_that_explodes_and_stays_so():
    assert names(rows(30, grad_norm=lambda step: 50.0 if step > 27 else 1.0)) == ["divergence"]
    assert names(rows(30, grad_norm=lambda step: 50.0 if step in (26, 28, 30) else 1.0)) == []


def test_a_loss_that_rises():
    assert names(rows(30, loss=lambda step: 0.7 if step < 20 else 1.6)) == ["divergence"]
    assert names(rows(30, loss=lambda step: 0.7 if step % 2 else 1.0)) == []


def test_a_margin_that_stays_at_zero():
    flat = rows(20, **{"rewards/margins": lambda step: 0.01 if step % 2 else -0.01})
    assert names(flat) == ["no_learning"]
    assert names(flat[:19]) == []
    # Single batches are noise; held-out pairs whose margin is above zero show that something was learned.
    assert names([*flat[:-1], measured(flat[-1], **{"eval_rewards/margins_low": 0.01})]) == []
    assert names([*flat[:-1], measured(flat[-1], **{"eval_rewards/margins_low": -0.01})]) == ["no_learning"]
    assert names(rows(20, **{"rewards/margins": lambda step: 0.02 + step / 1000})) == []
    assert names(rows(20, grad_norm=0.0)) == ["no_learning"]


def test_a_negative_margin_is_no_learning_either():
    assert names(rows(40, **{"rewards/margins": lambda step: -0.2 - (step % 3) / 100})) == ["no_learning"]


def test_chosen_answers_that_become_unlikely():
    falling = rows(30, **{"log_ratio_per_token/chosen": -0.4})
    assert names(falling) == ["likelihood_displacement"]
    assert "1.5 times less likely" in alarms(falling)[0].seen
    assert names(rows(30, **{"log_ratio_per_token/chosen": -0.2})) == []
    # Held-out pairs, where there are some, are the better witness.
    assert names([*falling, measured({**falling[-1], "step": 31})]) == []
    fallen = measured(rows(30)[-1], **{"eval_log_ratio_per_token/chosen": -0.7})
    assert names([*rows(29), fallen]) == ["likelihood_displacement"]
    assert "60% of them fell" in alarms([*rows(29), fallen])[0].seen


def test_a_margin_that_is_length():
    lengthy = {"eval_length_correlation": 0.6, "eval_length_correlation_low": 0.4, "eval_over_longer_low": -0.05}
    found = [*rows(29), measured(rows(30)[-1], **lengthy)]
    assert names(found) == ["length_exploitation"]
    assert "correlation 0.60" in alarms(found)[0].seen
    for other in (
        {"eval_over_longer_low": 0.01},
        {"eval_length_correlation_low": 0.1},
        {"eval_rewards/accuracies_matched": 0.7, "eval_rewards/accuracies_matched_low": 0.55},
    ):
        assert names([*rows(29), measured(rows(30)[-1], **lengthy | other)]) == []
    at_length = {"eval_rewards/accuracies_matched": 0.52, "eval_rewards/accuracies_matched_low": 0.4}
    assert "52% where both" in alarms([*rows(29), measured(rows(30)[-1], **lengthy | at_length)])[0].seen


def watched(accuracies, losses, margin):
    given = rows(10 * len(accuracies), **{"rewards/margins": margin})
    for number, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), 1):
        at = 10 * number - 1
        given[at] = measured(given[at], **{"eval_rewards/accuracies": accuracy, "eval_dpo_loss": loss})
    return given


def test_training_goes_on_where_held_out_pairs_turn_round():
    def growing(step):
        return step / 20

    assert names(watched((0.6, 0.7, 0.64), (0.65, 0.6, 0.7), growing)) == ["overfitting"]
    assert names(watched((0.6, 0.7, 0.69), (0.65, 0.6, 0.7), growing)) == []  # within what chance does
    assert names(watched((0.6, 0.7, 0.64), (0.65, 0.6, 0.59), growing)) == []  # the loss still falls
    assert names(watched((0.6, 0.7, 0.64), (0.65, 0.6, 0.7), lambda step: 2 - step / 20)) == []


def test_nothing_left_to_learn():
    assert names(rows(20, **{"rewards/accuracies": 1.0})) == ["saturated"]
    assert names(rows(19, **{"rewards/accuracies": 1.0})) == []
    assert names(rows(20, **{"rewards/accuracies": lambda step: 0.875 if step == 7 else 1.0})) == []


def test_the_history_knows_when_an_alarm_came_and_when_it_was_last_seen():
    given = rows(60, **{"log_ratio_per_token/chosen": lambda step: -0.5 if 16 <= step <= 40 else 0.0})
    (alarm,) = alarm_history(given)
    assert (alarm.name, alarm.step, alarm.last_step) == ("likelihood_displacement", 30, 40)
    assert str(alarm).startswith("step 40: on the training pairs")
    assert alarm_history(given[:29]) == []

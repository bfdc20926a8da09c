import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.train.watching.held_out_metrics import Scored, held_out_metrics


def scored(chosen, rejected, *, tokens=(10, 10), cluster=None, clipped=0.0):
    """A pair whose answers' log-probabilities moved by `chosen` and `rejected` nats."""
    cluster = cluster or f"{chosen}{rejected}{tokens}"
    return Scored(cluster, -50 + chosen, -60 + rejected, -50.0, -60.0, *tokens, clipped)


def test_what_each_number_means():
    found = held_out_metrics(
        [
            scored(2.0, -1.0, tokens=(10, 5), clipped=0.5),  # right, and longer
            scored(-1.0, 1.0, tokens=(10, 10)),  # wrong
            scored(-1.0, -1.0, tokens=(4, 8)),  # a tie
            scored(-4.0, -5.0, tokens=(6, 7)),  # right, though both fell
        ],
        beta=0.5,
    )
    assert found["eval_pairs"] == 4
    assert found["eval_rewards/accuracies"] == 0.625
    assert found["eval_longer"] == 0.375
    assert found["eval_over_longer"] == 0.25
    assert found["eval_rewards/margins"] == pytest.approx(0.5 * (3 - 2 + 0 + 1) / 4)
    assert found["eval_rewards/chosen"] == pytest.approx(0.5 * -1.0)
    assert found["eval_rewards/rejected"] == pytest.approx(0.5 * -1.5)
    assert found["eval_chosen_drift"] == -1.0
    assert found["eval_chosen_fell"] == 0.75
    assert found["eval_logps/chosen"] == -51.0
    assert found["eval_log_ratio_per_token/chosen"] == pytest.approx(-4 / 30, abs=1e-6)
    assert found["eval_log_ratio_per_token"] == pytest.approx(-10 / 60, abs=1e-6)
    per_token = (2 / 10 + 1 / 5) + (-1 / 10 - 1 / 10) + (-1 / 4 + 1 / 8) + (-4 / 6 + 5 / 7)
    assert found["eval_rewards/margins_per_token"] == pytest.approx(0.5 * per_token / 4, abs=1e-6)
    assert found["eval_completions/mean_length"] == 7.5
    assert found["eval_completions/clipped_ratio"] == 0.125
    losses = [math.log1p(math.exp(-margin)) for margin in (1.5, -1.0, 0.0, 0.5)]
    assert found["eval_dpo_loss"] == pytest.approx(sum(losses) / 4, abs=1e-6)
    assert found["eval_matched_pairs"] == 2
    assert "eval_rewards/accuracies_matched" not in found  # too few to say


def test_before_the_first_step_everything_is_a_tie():
    found = held_out_metrics([scored(0.0, 0.0, tokens=(number, 20)) for number in range(1, 19)], beta=0.1)
    assert found["eval_rewards/accuracies"] == 0.5
    assert found["eval_dpo_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert "eval_length_correlation" not in found


def test_a_margin_that_follows_length_is_seen():
    pairs = [scored(number / 2, 0.0, tokens=(10 + number, 10), cluster=str(number)) for number in range(-9, 30)]
    found = held_out_metrics(pairs, beta=0.1)
    assert found["eval_length_correlation"] == 1.0
    assert found["eval_over_longer"] == found["eval_over_longer_low"] == found["eval_over_longer_high"] == 0.0


def test_repeats_of_a_prompt_do_not_narrow_the_interval():
    once = [scored(1.0 if number % 3 else -1.0, 0.0, cluster=str(number)) for number in range(30)]
    few, many = held_out_metrics(once, 0.1), held_out_metrics([pair for pair in once for _ in range(10)], 0.1)
    for name in ("eval_rewards/accuracies", "eval_rewards/margins"):
        assert many[name] == few[name]
        narrow, wide = (found[f"{name}_high"] - found[f"{name}_low"] for found in (many, few))
        assert narrow == pytest.approx(wide, rel=0.05)


def test_one_prompt_alone_has_no_interval_of_its_margin():
    found = held_out_metrics([scored(1.0, 0.0, cluster="one"), scored(2.0, 0.0, cluster="one")], beta=0.1)
    assert found["eval_rewards/margins"] == 0.15
    assert "eval_rewards/margins_low" not in found


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 50)), min_size=1, max_size=20))
def test_every_number_is_finite_and_intervals_hold_their_value(given_pairs):
    pairs = [scored(a, b, tokens=(n, 20), cluster=str(n % 4)) for a, b, n in given_pairs]
    found = held_out_metrics(pairs, beta=0.1)
    assert all(math.isfinite(value) for value in found.values())
    assert 0 <= found["eval_rewards/accuracies_low"] <= found["eval_rewards/accuracies"]
    assert found["eval_rewards/accuracies"] <= found["eval_rewards/accuracies_high"] <= 1

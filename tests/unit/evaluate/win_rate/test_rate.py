from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.win_rate import win_rate
from prefloop.evaluate.win_rate.outcomes import read_score
from scipy import stats

PREFERENCES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0]), min_size=2, max_size=30)


def test_a_win_rate_by_hand() -> None:
    found = win_rate([1, 1, 0, 0.5, None, float("nan")])
    assert (found.wins, found.ties, found.losses, found.left_out, found.questions) == (2, 1, 1, 2, 4)
    assert found.value == pytest.approx(2.5 / 4)
    assert found.outright.value == pytest.approx(2 / 4)
    assert found.decided is not None
    assert found.decided.value == pytest.approx(2 / 3)
    # deviations .375, .375, -.625, -.125: sqrt(.6875 / 3 / 4)
    assert found.standard_error == pytest.approx((0.6875 / 12) ** 0.5)


def test_alpaca_evals_scale_is_read() -> None:
    found = win_rate([2, 1, 0, 1.5, 1.75])
    assert replace(found, scale="0 to 1") == win_rate([1, 0, 0.5, 0.5, 0.75])
    assert found.value == pytest.approx(2.75 / 5)
    assert (found.wins, found.ties, found.losses, found.scale) == (2, 2, 1, "1 to 2")


def test_a_model_that_never_wins_needs_the_scale_named() -> None:
    assert win_rate([1, 1, 1]).value == 1
    assert win_rate([1, 1, 1], scale="1 to 2").value == 0


def test_alpaca_evals_error_is_the_plain_one() -> None:
    values = np.random.default_rng(0).uniform(1, 2, size=100)
    assert win_rate(values).standard_error == pytest.approx(stats.sem(values - 1))


@pytest.mark.parametrize("bad", [[-0.1, 1], [0.5, 2.1], [0.3, 1.7], [float("inf")]])
def test_a_value_off_the_scale_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="preference"):
        win_rate(bad)


def test_nothing_scored_has_no_rate() -> None:
    with pytest.raises(ValueError, match="not one of 2"):
        win_rate([None, float("nan")])
    with pytest.raises(ValueError, match="3 comparisons, but 2 clusters"):
        win_rate([1, 0, 1], ["a", "b"])


def test_only_ties_decide_nothing() -> None:
    found = win_rate([0.5] * 10)
    assert found.value == 0.5
    assert found.decided is None
    assert found.low < 0.3
    assert found.high > 0.7


def test_the_interval_is_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(3).choice([0, 0.5, 1], size=80)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    found = win_rate(values, resamples=20_000)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_both_orders_of_a_question_are_no_two_questions() -> None:
    single = [1.0, 0.0, 0.5, 1.0] * 10
    twice = [score for score in single for _ in range(2)]
    questions = [number for number in range(40) for _ in range(2)]
    found, once = win_rate(twice, questions), win_rate(single)
    assert (found.low, found.high) == (once.low, once.high)
    assert found.standard_error == pytest.approx(once.standard_error)
    pretended = win_rate(twice)
    assert found.high - found.low > 1.2 * (pretended.high - pretended.low)


def test_winning_everything_is_no_certainty() -> None:
    found = win_rate([1.0] * 20)
    assert found.high == pytest.approx(1)
    assert found.low == pytest.approx(20 / (20 + 1.96**2), abs=1e-3)
    assert win_rate([1.0] * 20, ["one"] * 20).low < 0.3, "one question is worth one observation"
    assert win_rate([1.0, 0.0], ["one"] * 2).standard_error == float("inf")


@given(PREFERENCES, st.integers(0, 29))
def test_a_better_verdict_never_lowers_the_rate(scores: list[float], place: int) -> None:
    better = list(scores)
    better[place % len(scores)] = 1.0
    before, after = win_rate(scores, resamples=50), win_rate(better, resamples=50)
    assert after.value >= before.value
    assert after.outright.value >= before.outright.value


@given(PREFERENCES)
def test_the_other_models_rate_is_the_rest(scores: list[float]) -> None:
    ours, theirs = win_rate(scores, resamples=50), win_rate([1 - score for score in scores], resamples=50)
    assert theirs.value == pytest.approx(1 - ours.value)
    assert (theirs.wins, theirs.ties, theirs.losses) == (ours.losses, ours.ties, ours.wins)
    assert theirs.standard_error == pytest.approx(ours.standard_error)
    assert ours.low - 1e-9 <= ours.value <= ours.high + 1e-9
    assert ours.wins + ours.ties + ours.losses == len(scores)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    # Two verdicts a question that agree more often than chance: the truth is 0.6.
    draw = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        chance = draw.beta(1.5, 1.0, size=100)
        scores = (draw.random((100, 2)) < chance[:, None]).astype(float)
        found = win_rate(scores.ravel(), np.repeat(np.arange(100), 2), resamples=300)
        hits += found.low <= 0.6 <= found.high
    assert 0.9 <= hits / 200 <= 0.99


def test_words_are_read() -> None:
    assert [read_score(word) for word in ("A", "B", "tie", "model_b", "tie (bothbad)", "skip", None, 0.3)] == [
        1.0, 0.0, 0.5, 0.0, 0.5, None, None, 0.3,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unknown outcome 'a'"):
        read_score("a")

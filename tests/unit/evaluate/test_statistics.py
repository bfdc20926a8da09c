import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect.intervals import standard_error, wilson
from prefloop.evaluate.estimate import Estimate
from prefloop.evaluate.statistics import (
    Plan,
    bootstrap_mean,
    compare,
    detectable,
    estimate_difference,
    estimate_share,
    judge,
    mcnemar,
)
from scipy import stats

PLAN = Plan(samples=4000)


def names(count: int) -> list[str]:
    return [f"p{number}" for number in range(count)]


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (45, 45), (301, 1000)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((theirs.low, theirs.high))


def test_bootstrap_of_single_pairs_is_scipys_percentile_interval() -> None:
    values = np.random.default_rng(1).normal(size=60)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    ours = bootstrap_mean(list(values), names(60), Plan(samples=20_000))
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_pairs_of_one_prompt_do_not_count_as_independent() -> None:
    # Ten copies of the same 20 outcomes: the interval must be that of 20, not of 200.
    outcomes = [1.0, 0.0] * 10
    copied = [score for score in outcomes for _ in range(10)]
    clusters = [name for name in names(20) for _ in range(10)]
    low, high = bootstrap_mean(copied, clusters, PLAN)
    single = bootstrap_mean(outcomes, names(20), PLAN)
    assert (low, high) == single
    pretended = bootstrap_mean(copied, names(200), PLAN)
    assert high - low > 2 * (pretended[1] - pretended[0])
    assert standard_error(copied, clusters) == pytest.approx(standard_error(outcomes, names(20)))


def test_standard_error_by_hand() -> None:
    # mean 0.5; sums minus count x mean: a 2 - 1 = 1, b 0 - 1 = -1, c 0.5 - 0.5 = 0; sqrt(2 x 3/2) / 5
    values, clusters = [1, 1, 0, 0, 0.5], ["a", "a", "b", "b", "c"]
    assert standard_error(values, clusters) == pytest.approx(3**0.5 / 5)


def test_one_prompt_says_nothing_about_spread() -> None:
    assert standard_error([1, 0, 1], ["a", "a", "a"]) == float("inf")


def test_equal_scores_are_no_certainty() -> None:
    estimate = estimate_share([1.0] * 20, names(20), PLAN)
    assert estimate.high == pytest.approx(1.0)
    assert 0.8 < estimate.low < 0.9
    assert estimate_share([1.0] * 20, ["a", "b"] * 10, PLAN).low < 0.4, "two prompts are worth two observations"


def test_no_change_is_no_certainty() -> None:
    estimate = estimate_difference([1.0, 0.0] * 20, [1.0, 0.0] * 20, names(40), PLAN)
    assert estimate.value == 0
    assert -0.1 < estimate.low < -0.05
    assert estimate.high == -estimate.low


def test_mcnemar_counts_only_pairs_that_changed() -> None:
    before, after = [0.0] * 10 + [1.0] * 90, [1.0] * 9 + [0.0] + [1.0] * 90
    assert mcnemar(after, before) == pytest.approx(2 / 2**9), "9 gained, none lost"
    assert mcnemar(before, before) == 1.0


def test_mcnemar_by_hand() -> None:
    # 8 gained, 1 lost: 2 x (9 + 1) / 2^9
    assert mcnemar([1.0] * 8 + [0.0], [0.0] * 8 + [1.0]) == pytest.approx(20 / 512)


def test_detectable_difference_by_hand() -> None:
    assert detectable(0.05, PLAN) == pytest.approx((1.959964 + 0.841621) * 0.05)


def test_needed_pairs_grow_with_the_square() -> None:
    # 100 pairs, 12 gained, 8 lost: difference 0.04
    before, after = [0.0] * 12 + [1.0] * 8 + [1.0] * 80, [1.0] * 12 + [0.0] * 8 + [1.0] * 80
    found = compare(before, after, names(100), PLAN)
    assert found.verdict == "can't tell yet"
    assert found.detectable is not None
    assert found.needed == pytest.approx(100 * (found.detectable / 0.04) ** 2, abs=1)


def test_a_clear_difference_is_told_in_both_directions() -> None:
    low, high = [0.0] * 15 + [1.0] * 25, [1.0] * 40
    assert compare(low, high, names(40), PLAN).verdict == "better"
    assert compare(high, low, names(40), PLAN).verdict == "worse"


def test_better_needs_the_interval_and_the_test() -> None:
    # 5 gained, 0 lost of 40: the bootstrap interval excludes 0, McNemar's p is 0.0625
    before, after = [0.0] * 5 + [1.0] * 35, [1.0] * 40
    found = compare(before, after, names(40), PLAN)
    assert found.difference.low > 0
    assert found.p == pytest.approx(0.0625)
    assert found.verdict == "can't tell yet"
    assert judge(Estimate(0.1, -0.01, 0.2, 40, ""), 0.01, PLAN) == "can't tell yet"


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30), st.integers(0, 3))
def test_intervals_hold_their_value(scores: list[float], seed: int) -> None:
    estimate = estimate_share(scores, [f"p{index % 7}" for index in range(len(scores))], Plan(1000, seed=seed))
    assert 0 <= estimate.low <= estimate.value + 1e-9
    assert estimate.value - 1e-9 <= estimate.high <= 1

"""Power held to the paper's worked examples, and to repetitions."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.statistics import (
    items_needed,
    mean_with_error,
    minimum_detectable_effect,
    paired_difference,
    share_variance,
    variance_per_item,
)


def test_the_papers_sample_size():
    """Miller 2024, section 5: 3 points between models whose scores are uniform and correlate by 0.5."""
    assert items_needed(0.03, 1 / 9) == 969


def test_the_papers_detectable_effects():
    """Miller 2024, section 5: 198 questions, asked once and ten times."""
    once = minimum_detectable_effect(198, 1 / 9, noise=(1 / 6, 1 / 6))
    ten_times = minimum_detectable_effect(198, 1 / 9, noise=(1 / 6, 1 / 6), answers=(10, 10))
    assert [math.floor(1000 * effect) / 10 for effect in (once, ten_times)] == [13.2, 7.5]


@given(st.floats(0.005, 0.5), st.floats(0.01, 2), st.floats(0.01, 0.2), st.floats(0.5, 0.95), st.floats(3, 100))
def test_one_is_the_other_the_other_way_round(effect, variance, alpha, power, freedom):
    how = {"alpha": alpha, "power": power, "freedom": freedom}
    n = items_needed(effect, variance, **how)
    assert minimum_detectable_effect(n, variance, **how) <= effect * (1 + 1e-9)
    if n > 1:
        assert minimum_detectable_effect(n - 1, variance, **how) >= effect * (1 - 1e-9)
    assert items_needed(-effect, variance, **how) == n


def test_the_pages_plan_is_what_comes_out():
    variance = share_variance(0.70, 0.72, correlation=0.5)
    assert (items_needed(0.02, variance), items_needed(0.02, share_variance(0.70, 0.72))) == (4040, 8077)
    assert minimum_detectable_effect(500, variance) == pytest.approx(0.057, abs=0.0005)


@pytest.mark.parametrize(("clusters", "each"), [(120, 1), (30, 10), (8, 10)])
def test_a_detectable_difference_is_seen_four_times_out_of_five(clusters, each):
    draw, index = np.random.default_rng(1), np.repeat(np.arange(clusters), each)
    variance = each * 0.5**2 + 1  # per item: what is shared within a cluster counts once an item there
    effect = minimum_detectable_effect(clusters * each, variance, freedom=clusters - 1)
    seen = 0
    for _ in range(600):
        gain = effect + draw.normal(0, 0.5, clusters)[index] + draw.normal(0, 1, len(index))
        seen += paired_difference(gain, np.zeros(len(index)), index).p < 0.05
    assert seen / 600 == pytest.approx(0.8, abs=0.05)


def test_the_normal_quantile_promises_too_much_with_few_clusters():
    assert minimum_detectable_effect(80, 1.0, freedom=7) > 1.15 * minimum_detectable_effect(80, 1.0)


def test_an_earlier_run_says_what_an_item_is_worth():
    draw, index = np.random.default_rng(2), np.repeat(np.arange(400), 5)
    scores = draw.normal(0, 1, 400)[index] + draw.normal(0, 1, 2000)
    assert variance_per_item(mean_with_error(scores)) == pytest.approx(2, rel=0.15)
    assert variance_per_item(mean_with_error(scores, index)) == pytest.approx(5 + 1, rel=0.15)


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98), st.floats(0, 1))
def test_variance_of_shares_is_that_of_the_four_cases(a, b, overlap):
    """Between the least and the most that two models can be right together."""
    least, most = max(0.0, a + b - 1), min(a, b)
    both = least + overlap * (most - least)
    correlation = (both - a * b) / math.sqrt(a * (1 - a) * b * (1 - b))
    chances = {(1, 1): both, (1, 0): a - both, (0, 1): b - both, (0, 0): 1 - a - b + both}
    cases = list(product((0, 1), repeat=2))
    mean = sum((one - other) * chances[one, other] for one, other in cases)
    square = sum((one - other) ** 2 * chances[one, other] for one, other in cases)
    assert share_variance(a, b, correlation) == pytest.approx(square - mean**2, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: minimum_detectable_effect(0, 0.1), "above 0"),
        (lambda: minimum_detectable_effect(10, -0.1), "at least 0"),
        (lambda: minimum_detectable_effect(10, 0.1, answers=(0, 1)), "answers at least 1"),
        (lambda: minimum_detectable_effect(10, 0.1, power=80), "between 0 and 1"),
        (lambda: items_needed(0.0, 0.1), "difference of 0"),
        (lambda: share_variance(1.2, 0.5), "between 0 and 1"),
        (lambda: share_variance(0.9, 0.5, 0.9), "can't correlate"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()

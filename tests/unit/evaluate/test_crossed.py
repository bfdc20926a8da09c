"""Intervals over seeds and prompts, held to simulated sweeps of which the truth is known."""

import math

import numpy as np
import pytest
from prefloop.evaluate.statistics import (
    Plan,
    chance,
    cross,
    mean_over_seeds,
    more_pairs,
    more_seeds,
    share_over_seeds,
)
from scipy import stats

PLAN = Plan()
LOGIT = 0.7


def chances(draw, seeds, prompts, *, by_seed, by_prompt, by_both):
    """The chance of each pair to be right, (seeds, pairs), and the pairs' prompts: one to three pairs each."""
    of = np.repeat(np.arange(prompts), draw.integers(1, 4, prompts))
    luck = draw.normal(0, by_seed, (seeds, 1)) + draw.normal(0, by_both, (seeds, prompts))[:, of]
    return 1 / (1 + np.exp(-(LOGIT + luck + draw.normal(0, by_prompt, prompts)[of]))), [str(one) for one in of]


def outcomes(draw, *shape, **spread):
    right, of = chances(draw, *shape, **spread)
    return (draw.random(right.shape) < right).astype(float), of


def truth(by_seed, by_prompt, by_both):
    spread = math.sqrt(by_seed**2 + by_prompt**2 + by_both**2)
    grid = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000) * spread
    return float((1 / (1 + np.exp(-(LOGIT + grid)))).mean())


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("by_seed", "by_prompt", "by_both"), [(0.0, 2.0, 1.0), (0.15, 2.0, 1.0), (0.5, 2.0, 1.0)])
def test_the_interval_covers_the_truth_over_other_seeds_and_prompts(seeds, by_seed, by_prompt, by_both):
    draw, expected, hits = np.random.default_rng(1), truth(by_seed, by_prompt, by_both), 0
    for _ in range(200):
        table, of = outcomes(draw, seeds, 60, by_seed=by_seed, by_prompt=by_prompt, by_both=by_both)
        found = share_over_seeds(table, of, PLAN)
        hits += found.low <= expected <= found.high
    assert hits / 200 > 0.91


@pytest.mark.parametrize(("seeds", "most"), [(2, 0.11), (3, 0.085), (5, 0.085)])
def test_two_settings_of_the_same_worth_are_seldom_told_apart(seeds, most):
    draw, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        of = np.repeat(np.arange(60), 2)
        shared = draw.normal(0, 2, 60)[of]
        tables = []
        for _ in range(2):
            luck = draw.normal(0, 0.5, (seeds, 1)) + draw.normal(0, 1, (seeds, 60))[:, of]
            tables.append(draw.random((seeds, 120)) < 1 / (1 + np.exp(-(LOGIT + luck + shared))))
        alarms += chance(cross(tables[0].astype(float) - tables[1], [str(one) for one in of])) < 0.05
    assert alarms / 300 < most


def test_one_seed_alone_sees_differences_that_are_none():
    """Why no winner is named with one seed: the prompts' spread says nothing of the seed's."""
    draw, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        shared, of = draw.normal(0, 2, 60), [str(one) for one in range(60)]
        tables = [draw.random((1, 60)) < 1 / (1 + np.exp(-(LOGIT + draw.normal(0, 0.5) + shared))) for _ in range(2)]
        alarms += chance(cross(tables[0].astype(float) - tables[1], of)) < 0.05
    assert alarms / 200 > 0.15


def test_with_one_seed_it_is_the_clustered_standard_error():
    from prefloop.collect.intervals import standard_error

    draw = np.random.default_rng(4)
    scores, of = outcomes(draw, 1, 40, by_seed=0, by_prompt=2, by_both=0)
    assert math.sqrt(cross(scores, of).variance) == pytest.approx(standard_error(list(scores[0]), of))


def test_a_balanced_table_agrees_with_the_textbook():
    """Two-way without replication: mean squares from sums of squares by hand."""
    table = np.array([[1.0, 0, 1, 1], [0.0, 0, 1, 0], [1.0, 1, 1, 0]])
    found = cross(table, ["a", "b", "c", "d"])
    rows, columns, mean = table.mean(1), table.mean(0), table.mean()
    of_seeds, of_prompts = 4 * ((rows - mean) ** 2).sum() / 2, 3 * ((columns - mean) ** 2).sum() / 3
    rest = ((table - rows[:, None] - columns + mean) ** 2).sum() / 6
    assert found.mean == pytest.approx(mean)
    assert found.from_both == pytest.approx(rest)
    assert found.from_seeds == pytest.approx(max(0.0, (of_seeds - rest) / 4))
    assert found.from_clusters == pytest.approx(max(0.0, (of_prompts - rest) / 3))
    assert found.variance == pytest.approx(max(of_seeds + of_prompts - rest, of_seeds, of_prompts) / 12)


def test_where_nothing_varies_the_interval_is_still_open():
    all_right = share_over_seeds([[1.0] * 20] * 3, [str(n) for n in range(20)], PLAN)
    assert (all_right.value, all_right.high) == (1.0, 1.0)
    assert 0.8 < all_right.low < 0.9
    no_change = mean_over_seeds([[0.0] * 20] * 3, [str(n) for n in range(20)], PLAN)
    assert no_change.low == -no_change.high < -0.1
    assert chance(cross([[0.0] * 20] * 3, [str(n) for n in range(20)])) == 1.0
    assert chance(cross([[1.0] * 20] * 3, [str(n) for n in range(20)])) < 1e-5


def test_what_it_would_take_shrinks_the_variance_to_what_is_wanted():
    draw = np.random.default_rng(5)
    ours, of = outcomes(draw, 4, 50, by_seed=0.1, by_prompt=2, by_both=1)
    found = cross(ours - 0.55, of)
    pairs = more_pairs(found, PLAN, comparisons=6)
    assert pairs is not None
    wanted = (found.mean / (stats.norm.ppf(1 - 0.05 / 12) + stats.norm.ppf(0.8))) ** 2
    reached = found.variance_with(seeds=4, clusters=pairs * found.clusters / found.pairs)
    assert reached == pytest.approx(wanted, rel=0.02)
    one_prompt_fewer = (pairs - 10) * found.clusters / found.pairs
    assert found.variance_with(seeds=4, clusters=one_prompt_fewer) > wanted


def test_no_number_of_seeds_makes_up_for_too_few_prompts():
    draw = np.random.default_rng(6)
    one = outcomes(draw, 1, 30, by_seed=0, by_prompt=3, by_both=0)
    table, of = np.repeat(one[0], 3, axis=0), one[1]  # seeds that all do the same
    found = cross(table - table.mean() + 0.02, of)
    assert more_seeds(found, PLAN, comparisons=1) is None
    assert (more_pairs(found, PLAN, comparisons=1) or 0) > 1000

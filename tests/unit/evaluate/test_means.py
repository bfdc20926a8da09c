"""Standard errors held to Miller's equations written out, intervals to scipy's and to simulations of known truth."""

import csv
import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect.intervals import standard_error, wilson
from prefloop.evaluate.statistics import (
    Plan,
    decide,
    decide_all,
    estimate_share,
    mcnemar,
    mean_with_error,
    minimum_detectable_effect,
    paired_difference,
    say,
    unpaired_difference,
    variance_per_item,
)
from scipy import stats

LAYOUTS = {
    "three of 30": [30] * 3,
    "five of 20": [20] * 5,
    "eight of 5 to 30": [5, 8, 10, 12, 15, 20, 22, 30],
    "ten of 1 to 55": [1, 1, 2, 3, 5, 8, 13, 21, 34, 55],
    "twenty, one of them of 100": [1] * 15 + [20] * 4 + [100],
    "57 of 20": [20] * 57,
}
items = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 4)), min_size=3, max_size=25)


def equation_4(scores, clusters):
    """Miller 2024, eq. 4, as printed: a sum over all pairs of items of one cluster."""
    n, mean = len(scores), sum(scores) / len(scores)
    crossed = sum(
        (scores[i] - mean) * (scores[j] - mean)
        for i in range(n)
        for j in range(n)
        if i != j and clusters[i] == clusters[j]
    )
    return math.sqrt(max(0.0, sum((score - mean) ** 2 for score in scores) / (n - 1) / n + crossed / n**2))


def test_without_clusters_it_is_students_interval():
    scores = np.random.default_rng(1).normal(3, 2, 12)
    found, theirs = mean_with_error(list(scores)), stats.ttest_1samp(scores, 0)
    assert found.standard_error == pytest.approx(stats.sem(scores))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert (found.n, found.clusters, found.freedom) == (12, 12, pytest.approx(11))
    narrower = mean_with_error(scores, confidence=0.8)
    assert (narrower.low, narrower.high) == pytest.approx(tuple(theirs.confidence_interval(0.8)))


def test_a_share_by_hand():
    # three of four right: sqrt(0.25 / 4) by eq. 1, of which sqrt(p (1 - p) / n) is sqrt(3 / 4)
    found = mean_with_error([1, 1, 0, 1])
    assert found.standard_error == pytest.approx(0.25)
    assert math.sqrt(0.75 * 0.25 / 4) == pytest.approx(found.standard_error * math.sqrt(3 / 4))


def test_a_clustered_error_by_hand():
    # mean 0.5; deviations a +.5 +.5, b -.5 -.5, c 0: 1 / (4 x 5) + (2 x .25 + 2 x .25) / 25 = .05 + .04
    found = mean_with_error([1, 1, 0, 0, 0.5], ["a", "a", "b", "b", "c"])
    assert found.standard_error == pytest.approx(0.3)


@given(items)
def test_clustered_errors_are_equation_4(rows):
    scores, clusters = [row[0] for row in rows], [row[2] for row in rows]
    found = mean_with_error(scores, clusters)
    if len(set(clusters)) == 1:
        assert (found.standard_error, found.low, found.high) == (math.inf, -math.inf, math.inf)
    else:
        assert found.standard_error == pytest.approx(equation_4(scores, clusters), abs=1e-6)
        assert found.corrected_error >= found.standard_error
        assert found.low <= found.value <= found.high


@given(items)
def test_paired_errors_are_what_both_errors_and_the_correlation_give(rows):
    """Miller 2024, section 4.2: the variances' sum less twice the covariance."""
    a, b = [row[0] for row in rows], [row[1] for row in rows]
    found, ours, theirs = paired_difference(a, b), mean_with_error(a), mean_with_error(b)
    shared = 2 * (found.correlation or 0.0) * ours.standard_error * theirs.standard_error
    assert found.value == pytest.approx(ours.value - theirs.value, abs=1e-9)
    assert found.standard_error**2 == pytest.approx(
        ours.standard_error**2 + theirs.standard_error**2 - shared, abs=1e-6
    )


@given(items)
def test_the_other_way_round_is_the_same_with_the_other_sign(rows):
    a, b, clusters = ([row[place] for row in rows] for place in range(3))
    one, other = paired_difference(a, b, clusters), paired_difference(b, a, clusters)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert (one.p, one.standard_error) == pytest.approx((other.p, other.standard_error))


def test_clusters_of_one_item_are_no_clusters():
    scores = list(np.random.default_rng(2).normal(size=30))
    one, other = mean_with_error(scores), mean_with_error(scores, range(30))
    assert (one.standard_error, one.low, one.high) == pytest.approx((other.standard_error, other.low, other.high))


def test_copies_are_worth_nothing():
    scores = list(np.random.default_rng(3).normal(size=20))
    once = mean_with_error(scores)
    copied = mean_with_error([score for score in scores for _ in range(10)], np.repeat(np.arange(20), 10))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))


def test_with_equal_clusters_the_correction_is_the_usual_one():
    scores, clusters = list(np.random.default_rng(4).normal(size=40)), [str(item % 8) for item in range(40)]
    found = mean_with_error(scores, clusters)
    assert found.freedom == pytest.approx(7)
    assert found.corrected_error == pytest.approx(max(found.standard_error, standard_error(scores, clusters)))


@pytest.mark.parametrize("luck", [0.0, 1.0])
def test_degrees_of_freedom_are_those_of_the_matrices(luck):
    draw, sizes = np.random.default_rng(5), np.array([2, 3, 5, 20, 40])
    index = np.repeat(np.arange(5), sizes)
    scores = draw.normal(size=5)[index] * luck + draw.normal(size=70)
    means = np.array([scores[index == group].mean() for group in range(5)])
    within = sum(((scores[index == group] - means[group]) ** 2).sum() for group in range(5)) / 65
    between = (sizes * (means - scores.mean()) ** 2).sum() / 4
    component = max(0.0, (between - within) / ((70 - (sizes**2).sum() / 70) / 4))
    rho = component / (component + within)
    away = np.eye(5) - np.outer(sizes, np.ones(5)) / 70
    spread = sizes * (1 + (sizes - 1) * rho)
    covariance = away @ np.diag(spread) @ away.T
    totals = np.array([(scores[index == group] - scores.mean()).sum() for group in range(5)])
    found = mean_with_error(scores, index)
    assert found.freedom == pytest.approx(np.trace(covariance) ** 2 / np.trace(covariance @ covariance))
    assert found.corrected_error == pytest.approx(
        math.sqrt((totals**2).sum() * spread.sum() / np.trace(covariance)) / 70
    )


@pytest.mark.parametrize("together", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_interval_covers_the_truth_with_few_and_unequal_clusters(layout, together):
    sizes, draw, hits = LAYOUTS[layout], np.random.default_rng(6), 0
    index = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(500):
        luck = draw.normal(0, math.sqrt(together), len(sizes))[index]
        found = mean_with_error(luck + draw.normal(0, math.sqrt(1 - together), len(index)), index)
        hits += found.low <= 0 <= found.high
    assert hits / 500 > 0.92


def test_twice_equation_4_would_not():
    """Why the interval isn't 1.96 standard errors wide, as eq. 3 would have it."""
    sizes, draw, hits = LAYOUTS["ten of 1 to 55"], np.random.default_rng(7), 0
    index = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(300):
        found = mean_with_error(draw.normal(0, 0.7, len(sizes))[index] + draw.normal(0, 0.7, len(index)), index)
        hits += abs(found.value) <= 1.96 * found.standard_error
    assert hits / 300 < 0.85


def test_equal_models_are_seldom_told_apart():
    draw, alarms = np.random.default_rng(8), 0
    index = np.repeat(np.arange(12), 10)
    for _ in range(500):
        hard = draw.normal(0, 1, 120) + draw.normal(0, 0.5, 12)[index]
        a, b = (draw.normal(0, 1, 120) + draw.normal(0, 0.5, 12)[index] < hard for _ in range(2))
        alarms += paired_difference(a, b, index).p < 0.05
    assert alarms / 500 < 0.075


def test_unpaired_is_welchs():
    draw = np.random.default_rng(9)
    a, b = draw.normal(1, 1, 15), draw.normal(0, 3, 40)
    found, theirs = unpaired_difference(mean_with_error(a), mean_with_error(b)), stats.ttest_ind(a, b, equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert (found.p, found.freedom) == pytest.approx((theirs.pvalue, theirs.df))


def test_paired_is_students_and_no_surer_than_mcnemars():
    draw = np.random.default_rng(10)
    a, b = draw.normal(1, 1, 15), draw.normal(0, 1, 15)
    assert paired_difference(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    # 5 gained, none lost of 40: Student's p is 0.023, the sign test's 2 / 2^5
    gained, before = [1.0] * 40, [0.0] * 5 + [1.0] * 35
    assert stats.ttest_rel(gained, before).pvalue < 0.05
    assert paired_difference(gained, before).p == pytest.approx(0.0625)
    assert paired_difference(gained, before, range(40)).p == pytest.approx(stats.ttest_rel(gained, before).pvalue)


def test_where_nothing_varies_the_interval_is_still_open():
    right = mean_with_error([1.0] * 20)
    assert (right.standard_error, right.low, right.high) == (0.0, *wilson(1.0, 20))
    two = mean_with_error([0.1] * 30, ["a", "b"] * 15)
    assert (two.standard_error, two.low, two.high) == (0.0, *map(pytest.approx, wilson(0.1, 2)))
    same = paired_difference([1, 0] * 20, [1, 0] * 20)
    assert (same.value, same.low, same.high, same.p) == (0.0, -wilson(0, 40)[1], wilson(0, 40)[1], 1.0)
    best = paired_difference([1] * 10, [0] * 10, "aabbccddee")
    assert (best.value, best.high, best.p) == (1.0, 1.0, 2 / 2**5)
    assert best.low == pytest.approx(1 - 2 * wilson(0, 5)[1])
    apart = unpaired_difference(mean_with_error([1.0] * 10), mean_with_error([0.0] * 10))
    assert apart.low == pytest.approx(1 - math.hypot(1 - wilson(1, 10)[0], wilson(0, 10)[1]))
    assert apart.p < 0.01


def test_one_item_or_cluster_says_nothing():
    for found in (mean_with_error([0.3]), paired_difference([1, 0, 1], [0, 0, 1], ["a"] * 3)):
        assert (found.standard_error, found.low, found.high) == (math.inf, -math.inf, math.inf)
    assert unpaired_difference(mean_with_error([0.3]), mean_with_error([0.2, 0.4])).p == 1.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mean_with_error([]), "at least one score"),
        (lambda: mean_with_error([[1, 0], [0, 1]]), "at least one score"),
        (lambda: mean_with_error([1, math.nan, 0]), "1 of 3 scores"),
        (lambda: mean_with_error([1, 0], ["a"]), "2 scores and 1 clusters"),
        (lambda: mean_with_error([1, 0], confidence=95), "confidence"),
        (lambda: paired_difference([1, 0], [1]), "got 2 and 1"),
        (lambda: mcnemar([1, 0], [1]), "got 2 and 1"),
        (lambda: unpaired_difference(mean_with_error([1, 0]), mean_with_error([1, 0], confidence=0.9)), "0.95 and 0.9"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.fixture(scope="module")
def mmlu():
    """gpt-4-1106-preview's and Mixtral-8x7B-Instruct's 0/1 scores on the same 14,042 questions, and their subjects."""
    if not (folder := os.environ.get("PREFLOOP_TEST_DATA")):
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    with gzip.open(Path(folder) / "paired/mmlu_two_models.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [int(row["gpt4"]) for row in rows], [int(row["mixtral"]) for row in rows], [row["subject"] for row in rows]


def test_real_errors_naive_clustered_and_paired(mmlu):
    gpt4, mixtral, subjects = mmlu
    a, b, names = np.array(gpt4, float), np.array(mixtral, float), np.array(subjects)

    def clustered(scores):
        rest = scores - scores.mean()
        of_pairs = sum(rest[names == name].sum() ** 2 - (rest[names == name] ** 2).sum() for name in set(subjects))
        return math.sqrt(scores.var(ddof=1) / len(scores) + of_pairs / len(scores) ** 2)

    naive = [mean_with_error(scores) for scores in (gpt4, mixtral)]
    by_subject = [mean_with_error(scores, subjects) for scores in (gpt4, mixtral)]
    assert [one.value for one in naive] == pytest.approx([a.mean(), b.mean()])
    assert [one.standard_error for one in naive] == pytest.approx([np.std(s, ddof=1) / 14042**0.5 for s in (a, b)])
    assert [one.standard_error for one in by_subject] == pytest.approx([clustered(a), clustered(b)])
    apart, paired = unpaired_difference(*naive), paired_difference(gpt4, mixtral)
    both = paired_difference(gpt4, mixtral, subjects)
    assert paired.standard_error == pytest.approx(np.std(a - b, ddof=1) / 14042**0.5)
    assert both.standard_error == pytest.approx(clustered(a - b))
    assert paired.correlation == pytest.approx(np.corrcoef(a, b)[0, 1])
    found = [one.standard_error for one in (*naive, *by_subject, apart, paired, both)]
    assert [round(error, 4) for error in found] == [0.0033, 0.0039, 0.0253, 0.0328, 0.0052, 0.0039, 0.0208]
    assert (round(both.value, 4), both.n, both.clusters) == (0.1250, 14042, 57)
    # a third of the questions are in five subjects, and one subject makes 61% of the error: nowhere near 57 clusters
    assert (round(both.low, 3), round(both.high, 3), round(both.freedom, 1)) == (0.074, 0.176, 7.3)


def test_the_page_says_what_comes_out(mmlu):
    gpt4, mixtral, subjects = mmlu
    page = (Path(__file__).parents[3] / "docs/statistics.md").read_text(encoding="utf-8")
    whole = paired_difference(gpt4, mixtral, subjects)
    assert say(decide(whole)) in page
    rows = list(zip(*mmlu, strict=True))
    of_each = {
        name: paired_difference([row[0] for row in rows if row[2] == name], [row[1] for row in rows if row[2] == name])
        for name in set(subjects)
    }
    alone = sum(decide(one).verdict == "better" for one in of_each.values())
    together = sum(one.verdict == "better" for one in decide_all(of_each).values())
    assert f"better on {alone} of the 57 taken one at a time, and on {together} after" in page
    smallest = [
        100 * minimum_detectable_effect(one.n, variance_per_item(one), freedom=one.freedom)
        for one in (paired_difference(gpt4, mixtral), whole)
    ]
    assert "differences of {:.1f} points on these subjects, and of {:.1f} for other".format(*smallest) in page


def test_a_small_real_sample_covers_what_the_whole_set_says(mmlu):
    """Whole subjects drawn at random: the interval of a few of them holds the mean over all, weighted as drawn."""
    gpt4, mixtral, subjects = mmlu
    changes = np.array(gpt4, float) - np.array(mixtral, float)
    names, index = np.unique(np.array(subjects), return_inverse=True)
    rows = [np.flatnonzero(index == number) for number in range(len(names))]
    truth, draw, hits, narrow = changes.mean(), np.random.default_rng(11), 0, 0
    for _ in range(400):
        drawn = [rows[number] for number in draw.integers(0, len(names), 8)]
        of = np.repeat(np.arange(8), [len(one) for one in drawn])
        found = mean_with_error(changes[np.concatenate(drawn)], of)
        hits += found.low <= truth <= found.high
        narrow += abs(found.value - truth) <= 1.96 * mean_with_error(changes[np.concatenate(drawn)]).standard_error
    assert hits / 400 > 0.91
    assert narrow / 400 < 0.5


def test_a_share_near_one_is_better_estimated_by_wilsons_interval():
    """Exact coverage at 50 items of which 90% are right: Student's interval is symmetric, the binomial is not."""
    students = wilsons = 0.0
    for right in range(51):
        scores, chance = [1.0] * right + [0.0] * (50 - right), stats.binom.pmf(right, 50, 0.9)
        one, other = mean_with_error(scores), estimate_share(scores, [str(item) for item in range(50)], Plan())
        students += chance * (one.low <= 0.9 <= one.high)
        wilsons += chance * (other.low <= 0.9 <= other.high)
    assert students < 0.89
    assert wilsons > 0.95

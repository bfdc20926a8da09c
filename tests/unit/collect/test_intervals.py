import random

import pytest
from prefloop.collect.intervals import (
    chance_of_difference,
    chance_of_mean,
    chance_of_share,
    effective,
    holm,
    share,
    standard_error,
    wilson,
)


def test_wilson_as_published():
    # Newcombe 1998 (Stat. Med. 17, 857-872), table I: 81 of 263, 15 of 148, 0 of 20.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(hits / n, n) == pytest.approx((low, high), abs=1e-4)


def test_unclustered_scores_are_worth_their_number_and_repeated_ones_their_clusters():
    scores = [1.0, 0.0] * 20
    assert effective(scores, None) == 40
    repeated = [score for score in scores for _ in range(5)]
    clusters = [str(number) for number in range(40) for _ in range(5)]
    assert effective(repeated, clusters) == pytest.approx(39, abs=1)
    assert effective([1.0] * 10, ["p"] * 10) == 1


def test_a_share_of_nothing_is_none():
    assert share([]) is None


def test_the_clustered_standard_error_by_hand():
    # Two clusters of two, sums 2 and 0, mean 0.5: residuals 1 and -1; sqrt(2 * 2 / 1) / 4 = 0.5.
    assert standard_error([1, 1, 0, 0], ["a", "a", "b", "b"]) == pytest.approx(0.5)
    assert standard_error([1, 1], ["a", "a"]) == float("inf")


@pytest.mark.parametrize("per_cluster", [1, 4])
def test_chance_is_right_where_there_is_nothing_to_find(per_cluster):
    rng, hits = random.Random(0), 0
    for _ in range(400):
        coins = [float(rng.random() < 0.5) for _ in range(60) for _ in [0]]
        scores = [coin for coin in coins for _ in range(per_cluster)]
        clusters = [str(number) for number in range(60) for _ in range(per_cluster)]
        hits += chance_of_share(scores, clusters, 0.5) < 0.05
    assert 0.02 <= hits / 400 <= 0.09


def test_differences_and_means():
    assert chance_of_difference([1.0] * 30, [1.0] * 30, None, None) == 1.0
    assert chance_of_difference([1.0] * 30 + [0.0] * 10, [0.0] * 30 + [1.0] * 10, None, None) < 1e-5
    assert chance_of_mean([0.0] * 10, None) == 1.0
    assert chance_of_mean([1.0, -1.0] * 10, None) == pytest.approx(1.0)


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.04 times 3, 2, 1.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []

"""Ranks, differences and what stays open, against counts by hand and simulated truth."""

import random

import pytest
from prefloop.publish.try_out import Ranking, TryOutSettings, rank
from prefloop.publish.try_out.ranking import Scores

SETTINGS = TryOutSettings(resamples=400)


def ranked(marks: dict[str, list[float]], groups: dict[str, str] | None = None) -> Ranking:
    scores = {name: {f"e{n}": mark for n, mark in enumerate(row)} for name, row in marks.items()}
    of = groups or {f"e{n}": f"e{n}" for n in range(100)}
    found = rank("right", scores, of, SETTINGS)
    assert found is not None
    return found


def test_a_clear_order_is_found_and_said() -> None:
    found = ranked({"low": [0.0] * 30, "high": [1.0] * 29 + [0.0], "mid": [1.0] * 14 + [0.0] * 16})
    assert [row.name for row in found.rows] == ["high", "mid", "low"]
    assert [(row.rank, row.rank_low, row.rank_high) for row in found.rows] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    assert found.rows[0].to_best is None
    assert [row.to_best.verdict for row in found.rows[1:] if row.to_best] == ["worse", "worse"]
    assert found.comparisons == 3
    assert found.rows[0].first == 1


def test_a_small_lead_is_not_called_a_win_and_more_examples_are_named() -> None:
    a, b = [1.0] * 11 + [0.0] * 9, [1.0] * 9 + [0.0] * 9 + [1.0, 0.0]
    found = ranked({"b": b, "a": a})
    behind = found.rows[1]
    assert behind.to_best is not None
    assert behind.to_best.verdict == "can't tell yet"
    assert behind.to_best.more_items is not None
    assert behind.to_best.more_items > 20
    assert [(row.rank_low, row.rank_high) for row in found.rows] == [(1, 2), (1, 2)]


def test_what_the_tests_leave_open_no_resample_closes() -> None:
    """Three wins of three: no resample differs, but three examples prove nothing."""
    found = ranked({"a": [1.0] * 3, "b": [0.0] * 3})
    assert found.rows[0].first == 1
    assert [(row.rank_low, row.rank_high) for row in found.rows] == [(1, 2), (1, 2)]


def test_equal_scores_are_one_rank_with_all_ranks_open() -> None:
    found = ranked({"a": [1.0, 0.0] * 10, "b": [1.0, 0.0] * 10, "c": [1.0, 0.0] * 10})
    assert [(row.rank, row.rank_low, row.rank_high, row.first) for row in found.rows] == [(1, 1, 3, 1.0)] * 3


def test_groups_count_once() -> None:
    """Forty copies of two cases are two cases."""
    marks = {"a": [1.0] * 20 + [1.0] * 20, "b": [0.0] * 20 + [0.0] * 20}
    groups = {f"e{n}": "first" if n < 20 else "second" for n in range(40)}
    assert [row.to_best.verdict for row in ranked(marks).rows if row.to_best] == ["worse"]
    assert [row.to_best.verdict for row in ranked(marks, groups).rows if row.to_best] == ["can't tell yet"]


def test_examples_without_a_score_for_all_are_left_out_and_named() -> None:
    scores: Scores = {"a": {"x": 1.0, "y": 0.0, "z": 1.0}, "b": {"x": 1.0, "z": 0.0}, "none": {}}
    found = rank("preferred", scores, {name: name for name in "xyz"}, SETTINGS)
    assert found is not None
    assert (found.examples, found.left_out) == (2, ("y",))
    assert {row.name for row in found.rows} == {"a", "b"}


@pytest.mark.parametrize("scores", [{}, {"a": {}}, {"a": {"x": 1.0}, "b": {"x": 0.0}}])
def test_less_than_two_scored_examples_are_no_ranking(scores: Scores) -> None:
    assert rank("right", scores, {"x": "x"}, SETTINGS) is None


def test_equally_good_models_are_seldom_told_apart() -> None:
    """The leader is picked after the fact: with five equal models on 20 examples it must not be called better often."""
    random.seed(5)
    settings, wrong, trials = TryOutSettings(resamples=200), 0, 60
    of = {f"e{n}": f"e{n}" for n in range(20)}
    for _ in range(trials):
        scores = {name: {example: float(random.random() < 0.6) for example in of} for name in "abcde"}
        found = rank("right", scores, of, settings)
        assert found is not None
        wrong += any(row.to_best is not None and row.to_best.verdict == "worse" for row in found.rows)
    assert wrong / trials <= 0.08


def test_rank_intervals_hold_the_true_rank() -> None:
    random.seed(7)
    chances, held, trials = {"a": 0.85, "b": 0.6, "c": 0.55, "d": 0.3}, 0, 30
    of = {f"e{n}": f"e{n}" for n in range(25)}
    for _ in range(trials):
        scores = {
            name: {example: float(random.random() < chance) for example in of} for name, chance in chances.items()
        }
        found = rank("right", scores, of, TryOutSettings(resamples=200))
        assert found is not None
        place = {row.name: row for row in found.rows}
        held += all(place[name].rank_low <= true <= place[name].rank_high for true, name in enumerate(chances, 1))
    assert held / trials >= 0.95

"""Filters: by evidence and not by luck, and everyone who is left out is counted once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import UserError
from prefloop.publish.finding import Filters, parse_min_score, parse_size
from prefloop.publish.finding.filters import apply_filters, known_scores


def kept(entries, **asked):
    return [entry.name for entry in apply_filters(entries, Filters(**asked))[0]]


@pytest.fixture
def shelf(entry):
    return [
        entry("a", low=0.72),
        entry("b", low=0.65, licence="apache-2.0", parameters=1_700_000_000, base="Qwen/Qwen3-1.7B"),
        entry("c", low=0.3, verdict="can't tell yet", languages=("de", "en"), parameters=None, licence=""),
    ]


def test_each_filter_keeps_what_was_asked_for(shelf):
    assert kept(shelf) == ["a", "b", "c"]
    assert kept(shelf, base="qwen") == ["b"]
    assert kept(shelf, licence="MIT") == ["a"]
    assert kept(shelf, max_parameters=10**9) == ["a"]
    assert kept(shelf, max_parameters=1_700_000_000) == ["a", "b"]
    assert kept(shelf, language="de") == ["c"]
    assert kept(shelf, verdict="can't tell yet") == ["c"]


def test_a_score_must_reach_with_the_lower_end_of_its_interval(shelf):
    # The value of b is 0.75, and that is not enough for 0.7: its interval begins at 0.65.
    assert kept(shelf, min_scores=(("task_check", 0.7),)) == ["a"]
    assert kept(shelf, min_scores=(("task_check", 0.65),)) == ["a", "b"]
    assert kept(shelf, min_scores=(("difference", 0.05),)) == ["a", "b", "c"]
    assert kept(shelf, min_scores=(("difference", 0.06),)) == []


def test_everyone_left_out_is_counted_once_at_the_first_filter_that_fails(shelf):
    asked = Filters(licence="mit", max_parameters=10**9, min_scores=(("task_check", 0.9), ("win_rate", 0.5)))
    passed, left_out = apply_filters(shelf, asked)
    assert passed == []
    assert [(one.by, one.names) for one in left_out] == [
        ("--license mit", ("b", "c")),
        ("--min-score task_check=0.9 (lower end of the interval)", ("a",)),
    ]
    assert [one.by for one in apply_filters(shelf, Filters(max_parameters=10**9))[1]] == [
        "--max-size (its size is not known)",
        "--max-size 1,000,000,000 parameters",
    ]
    missing = apply_filters(shelf, Filters(min_scores=(("win_rate", 0.5),)))[1]
    assert [one.by for one in missing] == ["--min-score win_rate (it was not measured)"]


@given(st.sampled_from(["K", "M", "B", "k", "m", "b", ""]), st.integers(1, 10**6))
def test_sizes_are_read(unit, number):
    assert parse_size(f"{number}{unit}") == number * {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}[unit.upper()]


@pytest.mark.parametrize("text", ["", "big", "0", "-5M", "5T", "M", "1,5B", "nan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="--max-size"):
        parse_size(text)


def test_a_score_is_asked_for_by_name_and_share():
    assert parse_min_score("task_check=0.7") == ("task_check", 0.7)
    assert parse_min_score(" difference = -0.05 ") == ("difference", -0.05)


@pytest.mark.parametrize("text", ["", "task_check", "=0.7", "task_check=", "task_check=70", "x=nan", "x=seven"])
def test_what_is_no_score_is_refused(text):
    with pytest.raises(UserError, match="--min-score"):
        parse_min_score(text)


def test_the_scores_that_can_be_asked_for(shelf):
    assert known_scores(shelf) == ["difference", "task_check"]

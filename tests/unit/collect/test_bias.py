import pytest
from prefloop.collect import Vote
from prefloop.collect.quality.bias import (
    against_habit,
    by_strength,
    drift,
    first_chosen,
    least_seconds,
    longer_chosen,
    longer_side,
    speed,
)
from prefloop.collect.reliability import Check


def test_only_sided_counted_a_and_b_votes_tell_of_position():
    votes = [
        Vote("i", "a", "A", "A"),
        Vote("i", "b", "B", "A"),
        Vote("i", "c", "tie", "A"),
        Vote("i", "d", "A", None),
        Vote("i", "e", "A", "A", status="draft"),
    ]
    assert [first for _, first in first_chosen(votes)] == [True, False]


def test_equally_long_answers_tell_nothing_of_length(make_item, make_vote):
    long, even = make_item(a="longer text", b="short"), make_item(a="same", b="size")
    assert (longer_side(long), longer_side(even)) == ("A", None)
    votes = [
        make_vote(long, "a", "A"),
        make_vote(long, "b", "B"),
        make_vote(even, "a", "A"),
        make_vote(long, "c", "tie"),
    ]
    assert [longer for _, longer in longer_chosen(votes, {long.id: long, even.id: even})] == [True, False]


def test_a_habit_shows_only_beyond_what_the_others_do():
    votes = [Vote(str(n), "a", "A", "A") for n in range(3)]
    checks = [Check(votes[0], "A"), Check(votes[1], "B"), Check(votes[2], "tie")]
    assert [value for _, value in against_habit(checks, lambda vote: vote.left)] == [0.0, 1.0]


def test_the_least_time_grows_with_the_texts(make_item):
    assert least_seconds(make_item(a="yes", b="no")) == 1.0
    # 238 words a minute times four: 952 words take a minute.
    assert least_seconds(make_item(a="w " * 500, b="w " * 452)) == pytest.approx(60)


def test_speed_counts_known_times_only(make_item, make_vote):
    item = make_item()
    votes = [make_vote(item, str(n), "A", seconds=value) for n, value in enumerate((0.2, 10.0, 20.0, None))]
    found = speed(votes, {item.id: item})
    assert (found.n, found.median) == (3, 10.0)
    assert found.too_fast.value == pytest.approx(1 / 3)
    assert speed(votes[3:], {item.id: item}) is None


def timed(number, right):
    at = f"2026-01-01T{number // 60:02}:{number % 60:02}:00+00:00"
    return Check(Vote(str(number), "a", "A", "A", seconds=float(number), inserted_at=at), "A" if right else "B")


def test_drift_goes_by_the_order_in_which_votes_were_cast():
    checks = [timed(number, number < 50) for number in range(100)]
    bins = drift(checks[::-1], bins=2)
    assert [(part.first, part.last, part.agreement.value, part.seconds) for part in bins] == [
        (1, 50, 1.0, 24.5),
        (51, 100, 0.0, 74.5),
    ]


def test_too_few_votes_or_no_times_show_no_drift():
    assert drift([timed(number, True) for number in range(39)]) == []
    assert drift([Check(Vote(str(n), "a", "A", "A"), "A") for n in range(100)]) == []


def test_agreement_by_strength():
    checks = [Check(Vote(str(n), "a", "A", "A", strength=n % 2 + 1), "A" if n % 2 else "B") for n in range(10)]
    assert {level: figure.value for level, figure in by_strength(checks).items()} == {1: 0.0, 2: 1.0}

import numpy as np
import pytest
from prefloop.evaluate.statistics import (
    decide,
    decide_all,
    difference_over_seeds,
    minimum_detectable_effect,
    paired_difference,
    say,
)


def changed(gained: int, lost: int, of: int):
    """A paired difference where so many items of `of` became right, and so many wrong."""
    same = of - gained - lost
    return paired_difference([1] * gained + [0] * lost + [1] * same, [0] * gained + [1] * lost + [1] * same)


def test_each_word_has_its_case():
    found = {
        "better": decide(changed(60, 20, 400)),
        "worse": decide(changed(20, 60, 400)),
        "not worse by more than the margin": decide(changed(20, 20, 1000), 0.02),
        "can't tell yet": decide(changed(20, 25, 400), 0.02),
    }
    assert [decision.verdict for decision in found.values()] == list(found)
    assert decide(changed(20, 25, 400)).within_margin is None


def test_worse_can_still_be_within_the_margin():
    found = decide(changed(10, 40, 3000), 0.02)
    assert (found.verdict, found.within_margin) == ("worse", True)
    assert say(found).endswith("Not by more than the margin of 2 points.")
    assert decide(changed(10, 200, 3000), 0.02).within_margin is False


def test_better_needs_the_interval_and_the_test():
    # 5 gained, none lost of 40: Student's interval excludes 0, McNemar's test does not
    found = decide(changed(5, 0, 40))
    assert found.difference.low > 0
    assert found.verdict == "can't tell yet"


def test_looking_often_is_corrected_for():
    differences = {f"task {number}": changed(30, 30, 400) for number in range(5)} | {"lucky": changed(40, 22, 400)}
    assert decide(differences["lucky"]).verdict == "better"
    together = decide_all(differences, 0.1)
    assert together["lucky"].verdict == "not worse by more than the margin"
    assert together["lucky"].p == pytest.approx(6 * differences["lucky"].p)
    assert all(decision.within_margin for decision in together.values())
    assert "after correction for 6 comparisons" in say(decide(changed(90, 10, 400), p=0.001, comparisons=6))
    assert decide_all({}) == {}


@pytest.mark.parametrize(("true", "margin"), [(0.5, None), (0.0, 0.5), (-0.1, 0.5)])
def test_so_many_more_items_do_tell_four_times_out_of_five(true, margin):
    draw = np.random.default_rng(1)
    pilot = draw.normal(0, 1, 8)
    pilot = pilot / pilot.std(ddof=1) * 2
    seen = decide(paired_difference(pilot - pilot.mean() + true, [0] * 8), margin)
    assert seen.verdict == "can't tell yet"
    assert seen.more_items is not None
    told = 0
    for _ in range(500):
        gains = draw.normal(true, 2, 8 + seen.more_items)
        found = decide(paired_difference(gains, np.zeros(len(gains))), margin)
        told += found.verdict == "better" if margin is None else bool(found.within_margin)
    assert told / 500 == pytest.approx(0.8, abs=0.05)


def test_a_loss_beyond_the_margin_seldom_gets_past():
    draw, past = np.random.default_rng(2), 0
    index = np.repeat(np.arange(12), 10)
    for _ in range(800):
        gains = draw.normal(0, 0.3, 12)[index] + draw.normal(-0.2, 1, 120)
        past += bool(decide(paired_difference(gains, np.zeros(120), index), 0.2).within_margin)
    assert past / 800 < 0.04


def test_where_nothing_changed_it_takes_until_little_could():
    found = decide(changed(0, 0, 50), 0.02)
    assert found.verdict == "can't tell yet"
    assert found.more_items is not None
    assert decide(changed(0, 0, 50 + found.more_items), 0.02).verdict == "not worse by more than the margin"
    assert decide(changed(0, 0, 50 + found.more_items - 2), 0.02).verdict == "can't tell yet"


def test_what_no_number_of_items_would_show_is_said():
    assert decide(changed(5, 5, 50)).more_items is None
    assert say(decide(changed(5, 5, 50))).endswith("no number of items would show one.")
    alone = paired_difference([1, 0, 1], [0, 0, 1], ["a", "a", "a"])
    assert say(decide(alone, 0.02)).endswith("One item or cluster says nothing about chance.")


def test_sentences_have_their_numbers():
    assert say(decide(changed(60, 20, 400))) == (
        "Better: +10.0 points (interval +5.7 to +14.3); chance alone would do this in less than 1 case in 1,000."
    )
    assert say(decide(changed(20, 20, 1000), 0.02)) == (
        "Not worse by more than 2 points: +0.0 points (interval \N{MINUS SIGN}1.2 to +1.2)."
    )
    ratings = paired_difference([7, 8, 6, 9, 5], [7, 7, 7, 8, 5])
    assert say(decide(ratings), scale=1, unit="rating points").startswith(
        "Can't tell yet: +0.2 rating points (interval"
    )


def test_seeds_are_a_random_effect():
    """One seed's luck is no difference: the interval over three seeds is wider than each one's own."""
    draw = np.random.default_rng(3)
    luck = draw.normal(0, 0.3, (3, 1))
    table = luck - luck.mean() + draw.normal(0, 1, 300) + draw.normal(0, 0.3, (3, 300)) + 0.2
    over = difference_over_seeds(table)
    each = [paired_difference(row, np.zeros(300)) for row in table]
    assert over.high - over.low > max(one.high - one.low for one in each)
    assert over.value == pytest.approx(table.mean())
    assert over.freedom < 299
    assert decide(over).p == over.p
    one, same = difference_over_seeds(table[:1]), each[0]
    assert (one.standard_error, one.low, one.p) == pytest.approx((same.standard_error, same.low, same.p))


def test_items_do_not_make_up_for_seeds():
    draw = np.random.default_rng(4)
    luck = np.array([[-0.5], [0.1], [0.7]])
    table = luck + draw.normal(0, 1, 400) + draw.normal(0, 0.3, (3, 400))
    found = decide(difference_over_seeds(table))
    assert (found.verdict, found.more_items) == ("can't tell yet", None)
    assert say(found).endswith("more seeds would.")
    # eq. 9 for the items' part alone, the seeds' part taken off what the difference leaves room for
    noise = draw.normal(0, 1.4, 400)
    steady = difference_over_seeds(0.02 * luck + noise - noise.mean() + 0.1)
    more = decide(steady).more_items
    assert more is not None
    assert steady.seed_variance > 0
    items = 400 * (steady.corrected_error**2 - steady.seed_variance) / (400 + more)
    smallest = minimum_detectable_effect(1, items + steady.seed_variance, freedom=steady.freedom)
    assert smallest == pytest.approx(abs(steady.value), rel=1e-3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: decide(changed(1, 2, 10), 0.0), "above 0"),
        (lambda: decide(changed(1, 2, 10), comparisons=0), "at least one comparison"),
        (lambda: decide_all({"a": changed(1, 2, 10)}, -0.1), "above 0"),
        (lambda: difference_over_seeds([[1.0, 0.0], [1.0]]), r"rows of \[1, 2\]"),
        (lambda: difference_over_seeds([]), "rows of"),
        (lambda: difference_over_seeds([[1.0, 0.0]], ["a", "a"]), "1 clusters for 2 items"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()

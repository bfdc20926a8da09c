import pytest
from prefloop.collect import make_pairs
from prefloop.collect.quality.ledger import design_effect, ledger, pairs_needed


@pytest.fixture
def work(make_item, make_vote):
    items = [make_item(prompt=f"p{number}") for number in range(10)]
    votes = [
        make_vote(item, who, "A", seconds=None if number == 0 else 36.0)
        for who in ("ann", "bo")
        for number, item in enumerate(items)
    ]
    return items, votes, make_pairs(items, votes).pairs


def test_hours_and_prices_by_hand(work):
    # Two people, ten votes of 36 s each (the first at the median): 20 * 36 s = 0.2 h, at 50 an hour 10 in all.
    found = ledger(*work, price_per_hour=50)
    assert [(row.annotator, row.votes, row.timed) for row in found.people] == [("ann", 10, 9), ("bo", 10, 9)]
    assert found.hours == pytest.approx(0.2)
    assert (found.price, found.per_vote, found.per_pair) == pytest.approx((10, 0.5, 1.0))
    half = {row.half_width: row for row in found.projections}[0.05]
    # 1.96^2 / 4 / 0.05^2 = 384.2 pairs at two votes of 36 s each.
    assert (half.pairs, half.votes) == (385, 770)
    assert (half.hours, half.price) == pytest.approx((7.7, 385))


def test_without_a_price_there_is_none(work):
    found = ledger(*work, price_per_hour=None)
    assert found.hours == pytest.approx(0.2)
    assert (found.price, found.per_vote, found.per_pair, found.projections[0].price) == (None,) * 4


def test_replayed_votes_cost_no_time(work, make_vote):
    items, _, pairs = work
    votes = [make_vote(item, "ann", "A", seconds=0.01) for item in items]
    found = ledger(items, votes, pairs, price_per_hour=50)
    assert (found.by_hand, found.hours, found.price, found.people) == (False, None, None, ())


def test_one_who_hurries_does_not_void_the_others_time(work, make_vote):
    items, votes, pairs = work
    fast = [make_vote(item, "cy", "A", seconds=0.5) for item in items]
    assert ledger(items, [*votes, *fast], pairs, price_per_hour=None).by_hand


def test_no_votes_at_all(make_item):
    found = ledger([make_item()], [], [], price_per_hour=20)
    assert (found.votes, found.hours, found.price, found.per_pair, found.projections) == (0, None, None, None, ())


def test_the_design_effect_of_prompts_that_stand_together(make_item, make_vote):
    def effect(sides):
        items = [
            make_item(prompt=f"p{number // 4}", a=f"a longer answer {number}", b=f"short {number}")
            for number in range(40)
        ]
        votes = [make_vote(item, "ann", sides(number)) for number, item in enumerate(items)]
        return design_effect(items, make_pairs(items, votes).pairs)

    assert effect(lambda number: "A" if number // 4 % 2 else "B") == pytest.approx(4)  # four pairs are worth one
    assert effect(lambda number: "A" if number % 2 else "B") == 1.0  # unlike within a prompt: never below 1


def test_pairs_needed_as_in_every_textbook():
    assert pairs_needed(0.05) == 385
    assert pairs_needed(0.03, rate=0.2) == 683
    assert pairs_needed(0.05, 2.0) == 769

"""Measured disagreement against simulated annotators whose true probabilities are known."""

import random

import pytest
from prefloop.collect import Message, PreferencePair, Vote, make_pairs
from prefloop.collect.item import Item, Origin
from prefloop.errors import UserError
from prefloop.train import TrainSettings, measured
from prefloop.train.votes.disagreement import FEWEST_ITEMS, chance_wrong, disagreement
from prefloop.train.votes.reading import probability

AUTHOR = Origin("person", "author")
PRIOR = 0.6
SMOOTHED = TrainSettings.model_validate({"votes": {"targets": "smoothed"}})
SOFT = TrainSettings.model_validate({"votes": {"targets": "soft"}})


def items_of(count):
    return [Item((Message("user", f"Question {n}"),), f"a{n}", f"b{n}", AUTHOR, AUTHOR) for n in range(count)]


@pytest.fixture(scope="module")
def crowd():
    """2,000 items, each with its own share of people who prefer A, three votes an item."""
    draw = random.Random(1)
    items = items_of(2000)
    truth = {item.id: draw.betavariate(PRIOR, PRIOR) for item in items}
    votes = [
        Vote(item.id, who, "A" if draw.random() < truth[item.id] else "B", left="A", id=f"{item.id}-{who}")
        for item in items
        for who in ("ann", "bo", "cy")
    ]
    return items, votes, truth


def test_the_prior_is_that_of_the_people(crowd):
    _, votes, _ = crowd
    found = disagreement(votes)
    assert found.items == 2000
    assert found.interval[0] < found.rate < found.interval[1]
    # Two votes differ with probability E[2 q (1 - q)] = a / (2a + 1).
    assert found.rate == pytest.approx(PRIOR / (2 * PRIOR + 1), abs=0.015)
    assert found.prior == pytest.approx(PRIOR, rel=0.1)


def test_soft_targets_are_calibrated_and_certain_ones_are_not(crowd):
    """Of the items with target p, a share of about p of further annotators agrees with the label."""
    items, votes, truth = crowd
    pairs = make_pairs(items, votes).pairs
    sure = {item.response_a: truth[item.id] for item in items} | {i.response_b: 1 - truth[i.id] for i in items}
    prior = measured(SOFT, pairs, votes).votes.prior
    for unanimous in (True, False):
        some = [pair for pair in pairs if (pair.preferred == 1.0) == unanimous]
        agreed = sum(sure[pair.chosen] for pair in some) / len(some)
        target = sum(probability(pair, prior) for pair in some) / len(some)
        assert target == pytest.approx(agreed, abs=0.02)
        shares = sum(pair.preferred for pair in some) / len(some)
        assert abs(shares - agreed) > 3 * abs(target - agreed)


def test_smoothing_is_the_share_of_labels_that_most_people_would_turn(crowd):
    items, votes, truth = crowd
    pairs = make_pairs(items, votes).pairs
    sure = {item.response_a: truth[item.id] for item in items} | {i.response_b: 1 - truth[i.id] for i in items}
    wrong = sum(sure[pair.chosen] < 0.5 for pair in pairs) / len(pairs)
    assert measured(SMOOTHED, pairs, votes).label_smoothing == pytest.approx(wrong, abs=0.015)
    robust = SMOOTHED.model_copy(update={"loss_type": ("robust",)})
    assert measured(robust, pairs, votes).label_smoothing == pytest.approx(wrong, abs=0.015)


def test_only_what_is_left_open_is_measured(crowd):
    items, votes, _ = crowd
    pairs = make_pairs(items[:30], votes).pairs
    given = TrainSettings.model_validate({"votes": {"targets": "smoothed"}, "label_smoothing": 0.2})
    chosen = TrainSettings.model_validate({"votes": {"targets": "soft", "prior": 2.0}})
    for settings in (TrainSettings(), given, chosen):
        assert measured(settings, pairs, votes) is settings
    found = measured(SOFT, pairs, votes)
    assert TrainSettings.model_validate(found.model_dump()) == found
    assert found.votes.prior != 1.0


def test_items_without_a_verdict_count_as_they_are_where_people_differ():
    """Of two votes an item, only agreeing ones make a pair: the pairs alone would show no disagreement at all."""
    items = items_of(40)
    votes = [Vote(i.id, who, "A", left="A", id=f"{i.id}-{who}") for i in items[:30] for who in ("ann", "bo")]
    votes += [Vote(i.id, who, said, left="A", id=f"{i.id}-{who}") for i in items[30:] for who, said in ("aA", "bB")]
    pairs = make_pairs(items, votes).pairs
    assert len(pairs) == 30
    assert disagreement(votes).rate == pytest.approx((10 + 0.5) / 41)


def test_few_votes_are_not_measured(caplog):
    items = items_of(FEWEST_ITEMS)
    votes = [Vote(i.id, who, "A", left="A", id=f"{i.id}-{who}") for i in items for who in ("ann", "bo")]
    pairs = make_pairs(items, votes).pairs
    # Nobody differed, which is not to say that nobody would.
    assert 0 < disagreement(votes).rate < 0.05
    assert disagreement(votes[2:]) is None
    assert disagreement([vote for vote in votes if vote.annotator == "ann"]) is None
    assert measured(SOFT, pairs, votes[2:]).votes.prior == 1.0
    assert "taken as 1, unmeasured" in caplog.text
    with pytest.raises(UserError, match="set label_smoothing"):
        measured(SMOOTHED, pairs, votes[2:])


def test_votes_like_a_coins_are_refused():
    items = items_of(40)
    votes = [Vote(i.id, who, said, left="A", id=f"{i.id}-{who}") for i in items for who, said in ("aA", "bB")]
    with pytest.raises(UserError, match="coins would in 50%"):
        measured(SOFT, (), votes)


def test_ties_and_skips_say_nothing_about_disagreement():
    items = items_of(FEWEST_ITEMS)
    votes = [Vote(i.id, "ann", "A", left="A", id=i.id) for i in items]
    votes += [
        Vote(i.id, "bo", said, left="A", id=i.id) for i, said in zip(items, ["tie", "both_bad"] * 10, strict=True)
    ]
    assert disagreement(votes) is None


def test_the_chance_that_a_label_is_wrong_falls_with_every_vote():
    def pair(n):
        return PreferencePair((Message("user", "?"),), "a", "b", 1.0, "i", tuple(map(str, range(n))), preferred=1.0)

    chances = [chance_wrong(pair(n), 1.0) for n in (1, 2, 3)]
    # Under a uniform prior, P(q < 1/2) after n votes for an answer is 1 / 2^(n + 1).
    assert chances == pytest.approx([1 / 4, 1 / 8, 1 / 16])

import pytest
from prefloop.collect import Vote
from prefloop.collect.reliability import against_gold, against_others, bradley_terry, dawid_skene, log_odds, mace


def vote(item, who, choice, **more):
    return Vote(item, who, choice, "A", id=f"{item}-{who}", **more)


def test_the_majority_of_the_others_is_what_a_vote_is_held_against():
    votes = [vote("i", "a", "A"), vote("i", "b", "A"), vote("i", "c", "B"), vote("alone", "a", "A")]
    checks = {check.vote.annotator: (check.expected, check.right) for check in against_others(votes)}
    # a's others are A and B: no majority. b's are the same. c's are A and A.
    assert checks == {"c": ("A", False)}


def test_a_reliable_vote_outweighs_an_unreliable_one_but_two_equals_decide_nothing():
    votes = [vote("i", "a", "A"), vote("i", "good", "A"), vote("i", "poor", "B")]
    checks = {c.vote.annotator: c.expected for c in against_others(votes, {"a": 1.5, "good": 1.5, "poor": 0.05})}
    assert checks == {"a": "A", "good": "A", "poor": "A"}


def test_only_gold_items_are_held_against_gold():
    votes = [vote("i", "a", "A"), vote("j", "a", "A"), vote("i", "b", "tie"), vote("i", "c", "A", status="draft")]
    assert [(c.vote.annotator, c.right) for c in against_gold(votes, {"i": "A"})] == [("a", True), ("b", False)]


@pytest.mark.parametrize("model", [dawid_skene, mace])
def test_the_models_tell_the_reliable_from_the_spammer(simulate, honest, model):
    items, votes = simulate(honest | {"bad": "spammer"}, 150)
    found = model(votes)
    assert min(found.accuracy[name] for name in honest) > found.accuracy["bad"] + 0.2
    assert all(sum(row.values()) == pytest.approx(1) for row in found.posterior.values())
    assert found.posterior.keys() == {item.id for item in items}


@pytest.mark.parametrize("model", [dawid_skene, mace])
def test_the_order_of_the_votes_plays_no_part(simulate, honest, model):
    _, votes = simulate(honest, 40)
    assert model(votes) == model(votes[::-1])


@pytest.mark.parametrize("model", [dawid_skene, mace])
def test_no_votes_and_one_choice_only(model):
    assert model([]).posterior == {}
    assert model([vote("i", "a", "A"), vote("i", "b", "A")]).posterior["i"]["A"] == pytest.approx(1)


def test_weights_never_reach_zero_nor_rule(simulate, honest):
    _, votes = simulate(honest | {"bad": "spammer"}, 60)
    weights = log_odds(dawid_skene(votes), votes)
    assert all(0 < weight < 3 for weight in weights.values())
    assert weights["bad"] == min(weights.values())


def test_bradley_terry_sees_the_left_clicker_and_which_way_they_lean(simulate, honest):
    items, votes = simulate(honest | {"lea": "left-clicker", "bad": "spammer"}, 150)
    found = bradley_terry(items, votes)
    assert min(found[name].skill for name in honest) > 0.8
    assert max(found["lea"].skill, found["bad"].skill) < 0.5
    assert found["lea"].first > 0.8
    assert 0.3 < found["bad"].first < 0.7


def test_votes_whose_side_is_not_known_give_no_skill(simulate, honest):
    items, votes = simulate(honest, 5)
    assert bradley_terry(items, [Vote(v.item_id, v.annotator, v.choice, None) for v in votes]) == {}

import pytest
from prefloop.collect import Vote, agreement


def votes(*rows):
    return [Vote(f"i{n}", f"a{who}", choice, "A") for n, row in enumerate(rows) for who, choice in enumerate(row)]


def test_pairwise_and_alpha_by_hand():
    # Three items, two annotators: AA, BB, AB. Two of three pairs agree.
    # Coincidences: o_AA = 2, o_BB = 2, o_AB = o_BA = 1; n_A = n_B = 3, n = 6.
    # alpha = 1 - (n - 1) * o_AB / (n_A * n_B) = 1 - 5 * 1 / 9 = 4/9 (Krippendorff 2011, two categories, nominal).
    found = agreement(votes("AA", "BB", "AB"))
    assert found.pairwise == pytest.approx(2 / 3)
    assert found.alpha == pytest.approx(4 / 9)
    low, high = found.pairwise_interval
    assert low <= 2 / 3 <= high


def test_items_with_one_vote_and_uncounted_votes_say_nothing():
    rows = [*votes("AA", "B"), Vote("i0", "a9", "skip", "A", status="discarded")]
    found = agreement(rows)
    assert (found.items, found.votes) == (1, 3)


def test_one_category_only_leaves_alpha_undefined():
    found = agreement(votes("AA", "AA"))
    assert found.alpha is None
    assert found.pairwise == 1.0


def test_no_votes_at_all():
    found = agreement([])
    assert (found.items, found.alpha, found.pairwise, found.first_shown) == (0, None, None, None)


def test_position_bias_is_the_share_for_the_answer_shown_first():
    rows = [Vote("i", "a", "A", "A"), Vote("i", "b", "B", "B"), Vote("i", "c", "A", "B"), Vote("i", "d", "tie", "B")]
    assert agreement(rows).first_shown == pytest.approx(2 / 3)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import Vote, agreement
from prefloop.collect.agreement import (
    _alpha,
    _coincidences,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    majority,
    pairwise_agreement,
    preference_scale,
)
from prefloop.collect.intervals import bootstrap


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


# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, with gaps.
RELIABILITY_DATA = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip
# Fleiss 1971, table 1 as Wikipedia has it: ten subjects, fourteen raters, five categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_krippendorffs_own_example():
    assert krippendorff_alpha(RELIABILITY_DATA, resamples=200).value == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(RELIABILITY_DATA, "ordinal", resamples=200).value == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@given(rows=st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=4), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_the_bootstrapped_alpha_is_the_librarys(level, rows):
    import krippendorff

    values = sorted({value for row in rows for value in row})
    found = krippendorff_alpha(rows, level, resamples=60)
    if len(values) < 2:
        assert found is None
        return
    counts = np.array([[row.count(value) for value in values] for row in rows])
    own = bootstrap(
        _coincidences(counts.astype(float)),
        lambda sums: _alpha(sums.reshape(-1, len(values), len(values)), level),
        resamples=60,
    )
    assert own.value == pytest.approx(krippendorff.alpha(value_counts=counts, level_of_measurement=level))
    assert found.value == pytest.approx(own.value)


def test_fleiss_published_example():
    assert fleiss_kappa(FLEISS, resamples=200).value == pytest.approx(0.210, abs=5e-4)


def test_fleiss_needs_equally_many_raters():
    with pytest.raises(ValueError, match="equally many"):
        fleiss_kappa([[2, 1], [1, 1]])


def test_cohens_kappa_of_a_table_by_hand():
    # 20 both yes, 5 yes/no, 10 no/yes, 15 both no: po = 0.7, pe = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.4.
    a, b = ["y"] * 25 + ["n"] * 25, ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    found = cohen_kappa(a, b)
    assert found.value == pytest.approx(0.4)
    assert 0.1 < found.low < 0.4 < found.high < 0.7


@given(st.lists(st.tuples(st.sampled_from("ABT"), st.sampled_from("ABT")), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_cohens_kappa_is_scikit_learns(rows):
    from sklearn.metrics import cohen_kappa_score

    a, b = zip(*rows, strict=True)
    found = cohen_kappa(a, b, resamples=60)
    if found is None:
        assert len({*a, *b}) == 1
    else:
        assert found.value == pytest.approx(cohen_kappa_score(a, b))


def test_clusters_widen_the_interval():
    ratings = [["A", "A"], ["A", "B"]] * 30
    doubled = [row for row in ratings for _ in range(4)]
    clusters = [str(number) for number in range(60) for _ in range(4)]
    alone, together = pairwise_agreement(doubled), pairwise_agreement(doubled, clusters=clusters)
    assert alone.value == together.value == 0.5
    assert together.high - together.low == pytest.approx(2 * (alone.high - alone.low), rel=0.25)


def test_the_majority_must_lead():
    assert majority("AAB") == "A"
    assert majority("AB") is None
    assert majority([]) is None


def test_the_scale_from_b_to_a():
    rows = [("A", None), ("A", 4), ("B", 2), ("tie", None), ("both_bad", None), ("skip", None)]
    votes = [Vote("i", "a", choice, "A", strength=strength) for choice, strength in rows]
    assert [preference_scale(vote) for vote in votes] == [1, 4, -2, 0, None, None]

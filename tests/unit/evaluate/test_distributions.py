from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.statistics.distributions import sign_test, student_quantile, student_tails
from scipy import stats

FREEDOM = st.one_of(st.just(inf), st.floats(0.5, 1e6))


@given(st.floats(0.001, 0.999), FREEDOM)
def test_quantiles_are_scipys(share: float, freedom: float) -> None:
    assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-12)


@given(st.floats(-30, 30), FREEDOM)
def test_tails_are_scipys(value: float, freedom: float) -> None:
    assert student_tails(value, freedom) == pytest.approx(2 * stats.t.sf(abs(value), freedom), rel=1e-9, abs=1e-300)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_sign_test_is_scipys_binomial_test(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)

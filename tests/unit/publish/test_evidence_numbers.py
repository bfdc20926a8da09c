"""A number on a card is held by evidence at its own rounding, and by no other."""

from hypothesis import given
from hypothesis import strategies as st
from prefloop.publish.checks.numbers import INTERVAL, NUMBER, pool_of

shares = st.floats(min_value=0.001, max_value=0.999)


def estimate(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


@given(shares, st.integers(1, 4))
def test_a_number_is_held_at_any_rounding(value: float, decimals: int) -> None:
    pool = pool_of({"report.json": {"a": {"b": value}}})
    assert pool.holds(f"{value:.{decimals}f}")
    assert pool.holds(f"{100 * value:.0f}")


@given(shares)
def test_another_number_is_not(value: float) -> None:
    pool = pool_of({"report.json": {"a": [value]}})
    assert not pool.holds(f"{value + 0.011:.3f}")
    assert not pool.holds(f"{value + 1.5:.3f}")


@given(shares, shares, shares)
def test_an_interval_is_one_estimates_or_none(value: float, low: float, high: float) -> None:
    pool = pool_of({"report.json": {"x": estimate(value, low, high), "y": estimate(value, low + 0.1, high)}})
    for shown in (f"{value:.3f} ({low:.3f} to {high:.3f})", f"{value:.0%} (interval {low:.0%} to {high:.0%})"):
        found = INTERVAL.search(shown)
        assert found is not None
        assert pool.holds_interval(found["value"], found["low"], found["high"])
    assert not pool.holds_interval(f"{value:.3f}", f"{low:.3f}", f"{high + 0.01:.3f}")


def test_an_interval_beside_its_number_counts_as_one() -> None:
    pool = pool_of({"data.json": {"pairwise": 0.806, "pairwise_interval": [0.767, 0.843]}})
    assert pool.holds_interval("0.806", "0.767", "0.843")
    assert not pool.holds_interval("0.806", "0.767", "0.943")


def test_rows_of_single_pairs_prove_no_number() -> None:
    pool = pool_of({"report.json": {"margins": [1.25, 3.5], "lengths": [17, 23, 29], "why": "over 45 prompts"}})
    assert [pool.holds(number) for number in ("1.25", "17", "2", "3", "45")] == [False, False, True, True, True]


def test_numbers_are_told_from_names() -> None:
    text = "SmolLM2-135M has 4-bit weights, version 2.13.0+cpu, 1,234 rows, -0.5 and 12% of 2026-01-02."
    assert [found["digits"] for found in NUMBER.finditer(text)] == ["1,234", "0.5", "12"]


def test_seconds_are_known_in_minutes_too() -> None:
    assert pool_of({"prefloop.json": {"seconds": 205.0}}).holds("3.4")

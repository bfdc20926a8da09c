import pytest
from prefloop.evaluate.judge import JudgeSettings, measure_wins, outcomes_by_check
from prefloop.evaluate.judges.pairs import Outcome, Verdict, parse_verdict, settle
from prefloop.evaluate.statistics import Plan
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Both are fine, but A is clearer.\n[[A]]", "A"),
        ("I must say [[A]], [[B]] or [[C]]. My verdict: [[B]]", "B"),
        ("[[C]]", "C"),
        ("A is better.", None),
        ("[[D]]", None),
        ("[A]", None),
        ("", None),
    ],
)
def test_verdicts_are_read(text: str, verdict: Verdict | None) -> None:
    assert parse_verdict(text) == verdict


@pytest.mark.parametrize(
    ("tuned_first", "base_first", "outcome"),
    [
        ("A", "B", "win"),
        ("B", "A", "loss"),
        ("C", "C", "tie"),
        ("A", "A", "inconsistent"),  # prefers whatever comes first
        ("B", "B", "inconsistent"),
        ("A", "C", "inconsistent"),
        (None, "B", "unscored"),
        ("A", None, "unscored"),
    ],
)
def test_both_orders_must_agree(tuned_first: Verdict | None, base_first: Verdict | None, outcome: Outcome) -> None:
    assert settle(tuned_first, base_first) == outcome


def test_unscored_prompts_are_counted_and_never_a_loss() -> None:
    outcomes: dict[str, Outcome] = {"a": "win", "b": "tie", "c": "inconsistent", "d": "loss", "e": "unscored"}
    found = measure_wins("some judge", outcomes, Plan(1000))
    assert found is not None
    assert (found.wins, found.ties, found.losses, found.unscored, found.inconsistent) == (1, 2, 1, 1, 1)
    assert (found.rate.value, found.rate.n) == (0.5, 4)
    assert measure_wins("some judge", {"e": "unscored"}, Plan(1000)) is None


def test_the_check_judges_by_criteria_met() -> None:
    base = {"a": {"shape": False, "length": True}, "b": {"shape": True, "length": True}, "c": {"shape": True}}
    tuned = {"a": {"shape": True, "length": True}, "b": {"shape": True, "length": False}, "c": {"shape": True}}
    assert outcomes_by_check(base, tuned) == {"a": "win", "b": "loss", "c": "tie"}


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(ValidationError, match="api_key_env"):
        JudgeSettings(base_url="https://me:secret@judge.example/v1", model="judge")

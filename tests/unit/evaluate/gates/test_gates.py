import json
from pathlib import Path

import pytest
import yaml
from prefloop.evaluate.gates import (
    GateSettings,
    claims,
    headline,
    judge_gate,
    read_gate,
    rule_rows,
    section,
    write_gate,
)
from prefloop.evaluate.report import Report
from prefloop.train.watching.alarms import Alarm
from pydantic import TypeAdapter, ValidationError

MINUS = "\N{MINUS SIGN}"
ROOT = Path(__file__).parents[4]


def estimate(value: float, low: float, high: float, n: int = 100) -> dict:
    return {"value": value, "low": low, "high": high, "n": n, "method": "by hand"}


def comparison(value: float, low: float, high: float, p: float) -> dict:
    return {"difference": estimate(value, low, high), "p": p}


def task(name: str, value: float, low: float, high: float, p: float) -> dict:
    return {"name": name, "decision": {"difference": {"value": value, "low": low, "high": high, "n": 500, "p": p}}}


FULL = {
    "preference": {"normalised": comparison(0.12, 0.04, 0.2, 0.02)},
    "check": {
        "criteria": [
            {"name": "shape", "rate": comparison(0.5, 0.4, 0.6, 0.0001)},
            {"name": "all", "rate": comparison(0.3, 0.2, 0.4, 0.0001)},
        ]
    },
    "general": {"accuracy": comparison(-0.01, -0.025, 0.005, 0.3)},
    "win_rate": {"judge": "big-judge", "rate": estimate(0.65, 0.55, 0.74), "wins": 60, "ties": 10, "losses": 30},
    "style": {"explained": {"balanced": estimate(0.52, 0.44, 0.6)}, "right": {"rate": comparison(0.0, -0.1, 0.1, 1.0)}},
    "tasks": {
        "rows": [
            task("leaderboard_ifeval", -0.03, -0.06, 0.0, 0.06),
            task("mine", 0.1, 0.05, 0.15, 0.001),
            {"name": "alone", "decision": None},
        ]
    },
    "judge_audit": {"judge": "big-judge", "may_gate": True, "reasons": []},
    "sealed": {"openings": 2},
    "contamination": {"benchmarks": [{"name": "sealed", "items": 40, "overlapping": {}}]},
}


def judged(report: dict, alarms: list[Alarm] | None = None, **rules: object) -> list[tuple[bool, str]]:
    result = judge_gate(report, GateSettings.model_validate(rules), alarms)
    assert result.passed == all(rule.passed for rule in result.rules)
    return [(rule.passed, rule.reason) for rule in result.rules]


def changed(**parts: object) -> dict:
    return FULL | parts


def test_superior_wants_interval_and_corrected_chance():
    assert judged(FULL, superior=["preference"]) == [
        (True, "shown to be better: +12.0 points (interval +4.0 to +20.0, n = 100), p = 0.020")
    ]
    # Holm by hand: 0.0001 * 3, 0.02 * 2 and 1 * 1.
    passed = judged(FULL, superior=["preference", "check", "right_answers"])
    assert [one[0] for one in passed] == [True, True, False]
    assert "p = 0.040, corrected for 3 claims" in passed[0][1]
    assert "p < 0.001, corrected for 3 claims" in passed[1][1]
    weak = changed(preference={"normalised": comparison(0.12, 0.04, 0.2, 0.03)})
    assert not judged(weak, superior=["preference", "right_answers"])[0][0]  # 0.03 * 2 is too much
    assert judged(weak, superior=["preference"])[0][0]


def test_what_was_not_measured_fails_and_is_counted_among_the_claims():
    passed, reason = judged({}, superior=["preference"])[0]
    assert (passed, reason) == (
        False,
        "not measured: preference is not in the report; the report has no comparison",
    )
    weak = changed(preference={"normalised": comparison(0.12, 0.04, 0.2, 0.03)})
    rules = judged(weak, superior=["preference", "never_heard_of"])
    assert [one[0] for one in rules] == [False, False]
    assert "the report has preference, check" in rules[1][1]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"non_inferior": {"general": 3}}, "not measured"),
        ({"judge_audited": True}, "not measured"),
        ({"max_sealed_openings": 2}, "not measured"),
        ({"no_contamination": True}, "not measured"),
        ({"no_alarms": True}, "not measured"),
    ],
)
def test_an_empty_report_opens_no_gate(rules, said):
    for report in (
        {},
        {"sealed": None, "contamination": {"benchmarks": []}, "check": None, "tasks": "?", "general": 3},
    ):
        result = judge_gate(report, GateSettings.model_validate(rules))
        assert not result.passed
        assert not result.rules[0].measured
        assert said in result.rules[0].reason
        assert "nothing was measured" in headline(result)


def test_non_inferior_by_its_margin():
    (found,) = judged(FULL, non_inferior={"general": 3})
    assert found[0]
    assert found[1].replace(MINUS, "-") == (
        "a loss of more than 3 points is excluded: -1.0 points (interval -2.5 to +0.5, n = 100)"
    )
    assert judged(FULL, non_inferior={"general": 2})[0][0] is False
    assert judged(FULL, non_inferior={"leaderboard_ifeval": 7, "alone": 2})[0][0] is True
    assert "not measured: alone" in judged(FULL, non_inferior={"alone": 2})[0][1]
    lost = changed(general={"accuracy": comparison(-0.2, -0.25, -0.15, 0.001)})
    assert "worse by more" in judged(lost, non_inferior={"general": 3})[0][1]


def test_a_judge_that_may_not_decide_decides_nothing():
    bad = changed(judge_audit={"judge": "big-judge", "may_gate": False, "reasons": ["agrees with people in 58%"]})
    assert judged(FULL, superior=["win_rate"], judge_audited=True)[0][0]
    rules = judged(bad, superior=["win_rate", "check"], judge_audited=True)
    assert [one[0] for one in rules] == [False, True, False]
    assert rules[0][1] == "big-judge may not decide: agrees with people in 58%"
    assert judged(changed(judge_audit=[{"judge": "another", "may_gate": True}]), judge_audited=True)[0][0] is False
    assert judged(changed(win_rate={"judge": "check"}, judge_audit=None), judge_audited=True)[0][0]


def test_the_win_rates_chance_is_the_sign_tests():
    from scipy.stats import binomtest

    found = claims(FULL)
    assert found["win_rate"].p == pytest.approx(binomtest(60, 90).pvalue)
    assert found["win_rate"].difference == pytest.approx(15)
    assert found["win_rate_without_style"].p == pytest.approx(0.624, abs=0.01)  # z = 2 / (16 / 3.92)
    assert not judged(FULL, superior=["win_rate_without_style"])[0][0]


def test_openings_contamination_and_alarms():
    assert judged(FULL, max_sealed_openings=2) == [(True, "opened 2 times")]
    assert judged(FULL, max_sealed_openings=1) == [(False, "opened 2 times")]
    held = changed(
        contamination={
            "benchmarks": [{"name": "sealed", "overlapping": {"a": "exact"}}, {"name": "g", "overlapping": {}}]
        }
    )
    assert judged(held, no_contamination=True) == [(False, "the training data holds evaluation items: 1 of sealed")]
    assert judged(FULL, no_contamination=True)[0][0]
    unseen = FULL | {"contamination": FULL["contamination"] | {"unseen": ["round-1"]}}
    [(passed, why)] = judged(unseen, no_contamination=True)
    assert (passed, "round-1" in why) == (False, True)
    alarm = Alarm("chosen_collapse", "x", "y", "z", 40, 60)
    assert judged(FULL, [], no_alarms=True)[0][0]
    assert judged(FULL, [alarm], no_alarms=True) == [(False, "the training raised chosen collapse (step 40)")]


def test_a_real_report_is_read_as_it_lies_on_disk(report):
    written = json.loads(TypeAdapter(Report).dump_json(report))
    found = claims(written)
    assert {"preference", "check", "general", "win_rate"} <= set(found)
    assert found["check"].difference == 100
    rules = {"superior": ["check"], "non_inferior": {"general": 30}, "max_sealed_openings": 1}
    result = judge_gate(written, GateSettings.model_validate(rules))
    assert result.passed, result
    assert headline(result) == "The gate is open: all 3 rules held."


def test_rules_that_say_nothing_are_refused():
    with pytest.raises(ValidationError, match="without a rule"):
        GateSettings()
    with pytest.raises(ValidationError, match="greater than 0"):
        GateSettings(non_inferior={"general": 0})
    with pytest.raises(ValidationError, match="twice"):
        GateSettings(superior=("check", "check"))


def test_the_example_of_the_docs_is_a_gate():
    text = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    tree = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    settings = GateSettings.model_validate(tree["evaluate"]["gate"])
    result = judge_gate(FULL, settings, [])
    assert [rule.passed for rule in result.rules if not rule.measured] == []
    assert len(result.rules) >= 6


def test_a_result_is_kept_and_shown(tmp_path):
    settings = GateSettings(superior=("<script>",), max_sealed_openings=2)
    result = judge_gate(FULL, settings)
    assert read_gate(write_gate(tmp_path / "gate.json", result)) == result
    page = section(result)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert [row[0] for row in rule_rows(result)] == ["FAILED", "held"]

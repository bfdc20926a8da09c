from dataclasses import replace

from prefloop.evaluate.estimate import Estimate
from prefloop.evaluate.report import Report
from prefloop.evaluate.words import caveats, percent, points, summarise


def told(report: Report, **changes: object) -> str:
    changed = replace(report, **changes)  # type: ignore[arg-type]
    parts = (changed.preference, changed.sealed, changed.lengths, changed.check, changed.win_rate, changed.general)
    return " ".join(caveats(*parts, changed.left_out))


def test_numbers_in_words() -> None:
    assert percent(0.666) == "67%"
    assert [points(value) for value in (0.123, -0.05, 0.001)] == ["+12", "\N{MINUS SIGN}5", "±0"]


def test_an_open_question_says_how_many_pairs_would_tell(report: Report) -> None:
    unsure = replace(report.preference.normalised, verdict="can't tell yet", needed=130)
    text = summarise(replace(report.preference, normalised=unsure), report.sealed)
    assert "about 100 more pairs" in text
    even = replace(unsure, needed=None)
    assert "As many" in summarise(replace(report.preference, normalised=even), report.sealed)
    still = replace(even, detectable=None)
    assert "Not one pair" in summarise(replace(report.preference, normalised=still), report.sealed)


def test_length_is_named_when_the_model_may_know_nothing_else(report: Report) -> None:
    sure = replace(report.preference, over_rule=Estimate(0.2, 0.1, 0.3, 30, ""))
    unsure = replace(report.preference, over_rule=Estimate(0.02, -0.1, 0.1, 30, ""))
    assert "more than length" in told(report, preference=unsure)
    assert "more than length" not in told(report, preference=sure)


def test_openings_general_loss_and_missing_judge_are_named(report: Report) -> None:
    assert "3rd time" in told(report, sealed=replace(report.sealed, openings=3))
    assert "opened" not in told(report)
    assert "unknown" in told(report, general=None)
    assert "Nobody compared" in told(report, win_rate=None, check=None)
    assert "2 things were left out" in told(report)


def test_a_kind_of_pair_with_another_verdict_is_named_first(report: Report) -> None:
    form, substance = report.preference.slices
    unsure = replace(form.accuracy, verdict="can't tell yet", difference=Estimate(0.1, -0.05, 0.3, 30, ""))
    slices = (replace(form, accuracy=unsure), substance)
    said = told(report, preference=replace(report.preference, slices=slices))
    assert said.startswith(f"On the 30 pairs tagged “{form.tag}” the verdict is another: can't tell yet")
    few = replace(unsure, difference=replace(unsure.difference, n=19))
    assert "tagged" not in told(report, preference=replace(report.preference, slices=(replace(form, accuracy=few),)))

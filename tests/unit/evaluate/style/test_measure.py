import math
from dataclasses import replace

import pytest
from prefloop.evaluate.estimate import Estimate
from prefloop.evaluate.statistics import Plan
from prefloop.evaluate.style import (
    Compared,
    StyleFindings,
    StyleSettings,
    decompose,
    headline,
    measure_style,
    say,
    section,
)
from pydantic import TypeAdapter

PLAN = Plan(samples=200)


@pytest.fixture(scope="module")
def findings(simulated):
    return {
        kind: measure_style(simulated(kind), "judge", StyleSettings(), PLAN) for kind in ("style", "substance", "both")
    }


@pytest.mark.parametrize("kind", ["style", "substance", "both"])
def test_a_model_of_style_and_one_of_substance_are_told_apart(findings, kind):
    assert findings[kind].kind == kind


def test_style_alone_explains_the_whole_win_rate(findings):
    explained = findings["style"].explained
    assert explained.share.low < 1 < explained.share.high
    assert explained.share.low > 0.5
    assert explained.balanced.low < 0.5 < explained.balanced.high


def test_substance_owes_nothing_to_style(findings):
    explained = findings["substance"].explained
    assert explained.share.low < 0 < explained.share.high < 0.1
    assert explained.balanced.low > 0.5


def test_what_the_judge_pays_for_length_is_found(findings):
    lengths = dict((one.name, one.logits) for one in findings["style"].explained.weights)
    assert set(lengths) == {"length"}
    assert lengths["length"].low > 0
    assert findings["style"].explained.guessed.low > 0.6
    assert findings["substance"].explained.guessed.low < 0.5 < findings["substance"].explained.guessed.high


def test_where_answers_look_alike_style_wins_nothing(findings):
    matched = findings["style"].matched
    assert len(matched.prompts) == 100
    assert matched.win_rate.low < 0.5 < matched.win_rate.high
    assert findings["substance"].matched.win_rate.low > 0.5


def test_the_three_ways_to_take_style_away_agree(findings):
    for found in findings.values():
        for rate in (found.length_controlled, found.style_controlled):
            assert abs(rate.value - found.explained.balanced.value) < 0.06


def test_exchanging_the_models_exchanges_the_parts(simulated):
    rows = simulated("both")
    turned = [Compared(row.prompt_id, row.tuned, row.base, 1 - row.preference) for row in rows]
    found, other = (measure_style(side, "judge", StyleSettings(), PLAN) for side in (rows, turned))
    assert other.explained.balanced.value == pytest.approx(1 - found.explained.balanced.value, abs=1e-5)
    assert other.explained.style.value == pytest.approx(-found.explained.style.value, abs=1e-5)
    assert other.kind == "no win"


def test_the_balanced_rate_is_the_standardised_one_by_hand():
    # Two kinds of prompts: 40 with the longer tuned answer (30 won), 10 with the shorter (2 won), lengths 2:1. The
    # model is saturated: logit P = q + b and q - b. Balanced: the mean of 0.75 and 0.2, however many there are of each.
    preferences = [1.0] * 30 + [0.0] * 10 + [1.0] * 2 + [0.0] * 8
    differences = [(1 / 3, 0.0, 0.0, 0.0)] * 40 + [(-1 / 3, 0.0, 0.0, 0.0)] * 10
    found = decompose(preferences, differences, [str(n) for n in range(50)], PLAN)
    assert found.raw.value == 32 / 50
    assert found.balanced.value == pytest.approx((0.75 + 0.2) / 2, abs=0.01)  # but for the weak prior
    assert found.explained.value == pytest.approx(found.raw.value - found.balanced.value)


def test_style_that_favours_neither_model_explains_nothing():
    # The judge always takes the longer answer, each model's is it equally often: no style of the tuned model's.
    differences = [(0.3, 0.0, 0.0, 0.0), (-0.3, 0.0, 0.0, 0.0)] * 30
    found = decompose([1.0, 0.0] * 30, differences, [str(n) for n in range(60)], PLAN)
    assert found.explained.value == pytest.approx(0, abs=1e-6)
    assert found.share is None
    assert found.guessed.value == 1.0


def test_when_everything_is_won_nothing_is_claimed(simulated):
    rows = [replace(row, preference=1.0) for row in simulated("style", 60)]
    found = measure_style(rows, "judge", StyleSettings(), PLAN)
    assert found.kind == "can't tell yet"
    assert found.explained is None
    assert found.style_controlled is None
    assert "can't be told" in found.caveats[-1]
    assert "can't tell yet" in headline(found)
    assert section(found)


def test_one_sided_style_is_said_to_be_inseparable():
    rows = [Compared(str(n), "w " * 50, "w " * (60 + n % 7), float(n % 3 > 0)) for n in range(60)]
    assert any("longer one in 100%" in caveat for caveat in measure_style(rows, "j", StyleSettings(), PLAN).caveats)


def test_nothing_is_left_out_without_its_id(simulated):
    rows = [*simulated("style", 40), Compared("lost", "a", "b", None)]
    found = measure_style(rows, "judge", StyleSettings(), PLAN)
    assert found.prompts == 40
    assert found.left_out[0].ids == ("lost",)
    assert measure_style([rows[-1]], "judge", StyleSettings(), PLAN) is None


def test_prompts_that_come_twice_are_refused(simulated):
    with pytest.raises(ValueError, match="come twice: p0"):
        measure_style([*simulated("style", 10), simulated("style", 1)[0]], "judge", StyleSettings(), PLAN)


def test_markdown_counts_as_style():
    rows = [Compared(str(n), "word " * 20, "# H\n- a\n- b\n**x** " + "word " * 12, float(n % 2)) for n in range(30)]
    changes = {one.name: one.difference.value for one in measure_style(rows, "j", StyleSettings(), PLAN).features}
    assert changes["headers"], changes["lists"] == (1.0, 2.0)
    assert changes["bold"] == 1.0


def test_the_words_name_numbers_and_intervals(findings):
    said = " ".join(say(findings["style"]))
    assert "It learnt to sound better" in said
    assert "interval" in said
    assert headline(findings["substance"]) == "It wins by substance"


def test_findings_can_be_written_and_read_back(findings):
    adapter = TypeAdapter(StyleFindings)
    for found in findings.values():
        assert adapter.validate_json(adapter.dump_json(found)) == found


def test_the_section_shows_a_hostile_judge_as_text(findings):
    page = section(replace(findings["style"], judge="<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 2


def test_the_check_is_compared_where_answers_look_alike(simulated):
    rows = simulated("style", 90)
    ids = [row.prompt_id for row in rows]
    passed = ({name: False for name in ids}, {name: True for name in ids})
    found = measure_style(rows, "judge", StyleSettings(), PLAN, passed=passed)
    assert found.matched.passed.difference.value == 1
    assert isinstance(found.matched.passed.base, Estimate)
    assert math.isfinite(found.matched.lean)


def test_all_resamples_at_once_are_fitted_as_one_by_one():
    import numpy as np
    from prefloop.evaluate.style.decomposition import _fit_all
    from prefloop.evaluate.win_rate.logistic import fit_ridge

    draw = np.random.default_rng(0)
    design = np.column_stack([draw.normal(size=(40, 2)), np.ones(40)])
    design[:, 1] = (np.arange(40) < 3) * 6.0  # seen three times only, and always won: separable but for the prior
    labels = (draw.random(40) < 0.5).astype(float)
    labels[:3] = 1.0
    weights = draw.multinomial(40, np.full(40, 1 / 40), size=50).astype(float)
    start = fit_ridge(design, labels, np.ones(40))
    found = _fit_all(design, labels, weights, start)
    assert found == pytest.approx(np.array([fit_ridge(design, labels, row) for row in weights]), abs=1e-3)

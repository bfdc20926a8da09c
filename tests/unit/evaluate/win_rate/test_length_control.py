from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.evaluate.win_rate import length_controlled_win_rate
from scipy.special import expit

Columns = tuple[Any, Any, Any]


def simulate(count: int, *, quality: float, length: float, difficulty: float = 0.0, seed: int = 0) -> Columns:
    """Verdicts of a judge by AlpacaEval's own model, on answers that are 200 characters longer on average."""
    draw = np.random.default_rng(seed)
    longer, hard = draw.normal(200, 300, size=count), draw.normal(size=count)
    logits = length * np.tanh(longer / longer.std(ddof=1)) + difficulty * hard + quality
    return (draw.random(count) < expit(logits)).astype(float), longer, hard


def gamed_rows(count: int, seed: int = 5) -> list[tuple[float, float, float]]:
    draw = np.random.default_rng(seed)
    rows = []
    for shift, preference in ((1.5, 0.6), (-1.5, 0.3)):
        for hard in draw.normal(size=count):
            rows.append((float(draw.uniform(0, 2 * preference) / 1.2), float(shift + draw.normal()), float(hard)))
    return rows


def by_scikit_learn(preferences: Any, longer: Any, hard: Any, gamed: Any) -> tuple[float, Any]:
    """Fit as AlpacaEval's settings do: labels doubled, 10 penalties, five folds by question, log loss."""
    pytest.importorskip("sklearn", minversion="1.8")
    from sklearn import config_context
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GroupKFold

    rows = np.array(gamed).reshape(-1, 3)
    own = np.column_stack([np.tanh(longer / np.std(longer, ddof=1)), hard, np.ones(len(hard))])
    matrix = np.vstack([np.column_stack([np.tanh(rows[:, 1]), rows[:, 2], np.zeros(len(rows))]), own])
    labels, weights = np.concatenate([rows[:, 0], preferences]), np.repeat([0.1, 1.0], [len(rows), len(hard)])

    def loss(y: Any, predicted: Any, label: Any, weight: Any) -> float:
        truth = np.where(y == 1, label, 1 - label)
        predicted = np.clip(predicted, 1e-15, 1 - 1e-15)
        return -np.mean(weight * (truth * np.log(predicted) + (1 - truth) * np.log(1 - predicted)))

    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(loss, response_method="predict_proba", greater_is_better=False)
        model = LogisticRegressionCV(
            Cs=10, l1_ratios=(1.0,), cv=GroupKFold(5), solver="liblinear", fit_intercept=False, random_state=123,
            scoring=scorer.set_score_request(label=True, weight=True), tol=1e-8, max_iter=5000,
            use_legacy_attributes=False,
        )  # fmt: skip
        model.set_fit_request(sample_weight=True)
        doubled = np.concatenate([labels, 1 - labels])
        both = np.tile(weights, 2)
        model.fit(
            np.vstack([matrix, matrix]), np.repeat([1, 0], len(labels)), sample_weight=doubled * both,
            groups=np.tile(np.arange(len(labels)), 2), label=doubled, weight=both,
        )  # fmt: skip
    own[:, 0] = 0
    return float(model.predict_proba(own)[:, 1].mean()), (*model.coef_[0], float(model.C_))


@pytest.mark.parametrize("gamed", [[], gamed_rows(150)], ids=["without gamed rows", "with gamed rows"])
def test_alpaca_evals_number_is_scikit_learns(gamed: list[tuple[float, float, float]]) -> None:
    draw = np.random.default_rng(2)
    _, longer, hard = simulate(150, quality=0.4, length=1.2, difficulty=0.7)
    soft = expit(draw.normal(1.2 * np.tanh(longer / longer.std()) + 0.7 * hard + 0.4, 1.5))
    rate, (length, difficulty, quality, strength) = by_scikit_learn(soft, longer, hard, gamed)
    found = length_controlled_win_rate(soft, longer, hard, gamed or None, resamples=2)
    assert found.strength is not None
    # From 1000 on the penalty changes the loss by less than the solvers' tolerance: any of these may be chosen.
    assert min(found.strength, 1000) == pytest.approx(min(strength, 1000))
    assert (found.length, found.difficulty, found.quality) == pytest.approx((length, difficulty, quality), abs=1e-4)
    assert found.value == pytest.approx(rate, abs=1e-5)


def test_without_difficulties_it_is_a_plain_logistic_regression() -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    preferences, longer, _ = simulate(3000, quality=-0.5, length=1.5)
    matrix = np.column_stack([np.tanh(longer / longer.std(ddof=1)), np.ones(3000)])
    theirs = statsmodels.GLM(preferences, matrix, family=statsmodels.families.Binomial()).fit().params
    found = length_controlled_win_rate(preferences, longer, resamples=2)
    assert (found.length, found.quality) == pytest.approx(tuple(theirs), abs=1e-3)
    assert found.value == pytest.approx(expit(theirs[1]), abs=1e-3)


@pytest.mark.parametrize("with_difficulty", [False, True])
def test_a_judge_that_only_likes_length_is_seen_through(with_difficulty: bool) -> None:
    preferences, longer, hard = simulate(800, quality=0.0, length=3.0, seed=4)
    found = length_controlled_win_rate(preferences, longer, hard if with_difficulty else None, resamples=200)
    assert found.raw > 0.66
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.low < 0.5 < found.high
    assert found.length > 2
    assert any("length changes the rate" in caveat for caveat in found.caveats)


@pytest.mark.parametrize("with_difficulty", [False, True])
def test_real_quality_stays(with_difficulty: bool) -> None:
    preferences, longer, hard = simulate(800, quality=1.0, length=0.0, seed=4)
    found = length_controlled_win_rate(preferences, longer, hard if with_difficulty else None, resamples=200)
    assert found.low < expit(1.0) < found.high
    assert found.value == pytest.approx(found.raw, abs=0.03)
    assert found.caveats == ()


def test_a_certain_judge_of_length_has_a_fit() -> None:
    longer = np.random.default_rng(0).normal(100, 300, size=200)
    found = length_controlled_win_rate((longer > 0).astype(float), longer, resamples=50)
    assert found.raw > 0.6
    assert found.value == pytest.approx(0.5, abs=0.1)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(-1, 1))
def test_exchanging_the_models_turns_the_rate_round(seed: int, quality: float) -> None:
    preferences, longer, _ = simulate(60, quality=quality, length=1.0, seed=seed)
    ours = length_controlled_win_rate(preferences, longer, resamples=20)
    theirs = length_controlled_win_rate(1 - preferences, -longer, resamples=20)
    assert theirs.value == pytest.approx(1 - ours.value, abs=1e-6)
    assert (theirs.low, theirs.high) == pytest.approx((1 - ours.high, 1 - ours.low), abs=1e-5)
    assert theirs.length == pytest.approx(ours.length, abs=1e-5)
    assert ours.low <= ours.value <= ours.high


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 59))
def test_a_better_verdict_never_lowers_the_rate_at_equal_length(seed: int, place: int) -> None:
    draw = np.random.default_rng(seed)
    preferences, longer = draw.random(60), np.tile([-100.0, 100.0], 30)  # balanced, so that length takes no credit
    better = preferences.copy()
    better[place] = 1.0
    before, after = (length_controlled_win_rate(row, longer, resamples=1) for row in (preferences, better))
    assert after.value >= before.value - 1e-7


def test_unit_and_direction_of_length_do_not_matter() -> None:
    preferences, longer, hard = simulate(200, quality=0.3, length=1.0, difficulty=0.5)
    gamed = gamed_rows(40)
    found = length_controlled_win_rate(preferences, longer, hard, gamed, resamples=2)
    tokens = length_controlled_win_rate(preferences, longer / 4, hard, gamed, resamples=2)
    turned = [(preference, -length, hardness) for preference, length, hardness in gamed]
    alpaca = length_controlled_win_rate(preferences + 1, -longer, hard, turned, resamples=2, scale="1 to 2")
    assert tokens.value == pytest.approx(found.value, abs=1e-7)
    assert alpaca.value == pytest.approx(found.value, abs=1e-6)
    assert (alpaca.length, alpaca.longer) == pytest.approx((-found.length, 1 - found.longer), abs=1e-5)


def test_unscored_questions_are_counted_and_predicted() -> None:
    preferences, longer, hard = simulate(120, quality=0.3, length=1.0, difficulty=1.0)
    with_gaps: list[float | None] = [None if number % 4 == 0 else value for number, value in enumerate(preferences)]
    found = length_controlled_win_rate(with_gaps, longer, hard, resamples=20)
    assert (found.left_out, found.questions) == (30, 90)
    assert found.value == pytest.approx(np.mean(expit(found.difficulty * hard + found.quality)))


def test_two_equal_models_are_no_certainty() -> None:
    # The penalty takes every coefficient to 0 here; the interval must not follow it.
    preferences, longer, hard = (
        np.tile([1.0, 0.0], 100),
        np.repeat([-1.0, 1.0, 2.0, -2.0], 50),
        np.tile([0.3, -0.3], 100),
    )
    found = length_controlled_win_rate(preferences, longer, hard * 0, resamples=100)
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.45
    assert found.high > 0.55


def test_winning_everything_at_any_length_is_no_certainty() -> None:
    found = length_controlled_win_rate([1.0] * 30, np.linspace(-50, 50, 30), resamples=50)
    assert found.value > 0.98
    assert found.low <= 30 / (30 + 1.96**2) + 1e-3


def test_both_orders_of_a_question_are_no_two_questions() -> None:
    preferences, longer, _ = simulate(100, quality=0.3, length=1.0)
    twice, lengths = np.repeat(preferences, 2), np.repeat(longer, 2)
    found = length_controlled_win_rate(twice, lengths, clusters=np.repeat(np.arange(100), 2), resamples=200)
    pretended = length_controlled_win_rate(twice, lengths, resamples=200)
    assert found.questions == 100
    assert found.high - found.low > 1.2 * (pretended.high - pretended.low)


def test_a_model_that_is_always_longer_is_not_trusted() -> None:
    preferences, longer, _ = simulate(100, quality=0.3, length=1.0)
    found = length_controlled_win_rate(preferences, np.abs(longer) + 1, resamples=20)
    assert found.longer == 1
    assert any("longer one in 100%" in caveat for caveat in found.caveats)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(80):
        preferences, longer, _ = simulate(120, quality=0.5, length=2.0, seed=seed)
        found = length_controlled_win_rate(preferences, longer, resamples=50, seed=seed)
        hits += found.low <= expit(0.5) <= found.high
    assert 0.88 <= hits / 80 < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0, 1, 0, 1, 0], [1, 2, 3]), "6 preferences, 3 length differences"),
        (([1, 0, 1, 0, 1, 0], [1, 2, 3, 4, 5, 6], [1, 2]), "2 difficulties"),
        (([1, 0, 1, 0, 1, 0], [5] * 6), "same length"),
        (([1, 0, 1, 0, 1, 0], [1, 2, 3, 4, 5, float("nan")]), "needs its length difference"),
        (([1, 0, 1, 0, None, None], [1, 2, 3, 4, 5, 6]), "4 scored questions are too few"),
        (([1, 0, 1, 0, 1, 0], [1, 2, 3, 4, 5, 6], None, [(0.5, 1, 1)]), "gamed rows come with difficulties"),
        (([1, 0, 1, 0, 1, 0], [1, 2, 3, 4, 5, 6], [0] * 6, [(1.5, 1, 1)]), "a gamed row is"),
    ],
)
def test_bad_input_is_refused_in_words(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        length_controlled_win_rate(*arguments)


def test_no_length_difference_leaves_the_raw_rate() -> None:
    found = length_controlled_win_rate([1, 1, 1, 0, 0.5] * 20, [0] * 100, resamples=20)
    assert found.value == pytest.approx(0.7, abs=1e-3)

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.evaluate.win_rate import Battle, BradleyTerry, bradley_terry
from prefloop.evaluate.win_rate.comparison_graph import connected, settle
from scipy.special import expit

STRENGTHS = (0.0, 0.4, 0.9, 1.5)


def play(count: int, *, tastes: Sequence[float] = (), seed: int = 0) -> tuple[list[Battle], Any]:
    """Battles of four models of `STRENGTHS`, five a question, judged by quality and by tastes in style."""
    draw = np.random.default_rng(seed)
    battles, features = [], draw.normal(size=(count, len(tastes)))
    for number in range(count):
        a, b = draw.choice(4, size=2, replace=False)
        chance = expit(STRENGTHS[a] - STRENGTHS[b] + features[number] @ np.array(tastes))
        battles.append(Battle(f"m{a}", f"m{b}", float(draw.random() < chance), f"q{number // 5}"))
    return battles, features


def logits(found: BradleyTerry) -> dict[str, float]:
    return {rating.model: (rating.value - 1000) * np.log(10) / 400 for rating in found.ratings}


def named(found: BradleyTerry, model: str) -> Any:
    return next(rating for rating in found.ratings if rating.model == model)


def design(battles: Sequence[Battle], features: Any) -> Any:
    rows = np.zeros((len(battles), 4))
    for number, battle in enumerate(battles):
        rows[number, int(battle.a[1])], rows[number, int(battle.b[1])] = 1, -1
    return np.column_stack([rows, features])


def test_coefficients_are_scikit_learns() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    battles, features = play(400, tastes=(0.8, -0.3))
    features /= np.sqrt((features**2).mean(axis=0))
    # A normal prior of deviation 5 is a ridge with C = 25.
    model = linear_model.LogisticRegression(C=25, fit_intercept=False, solver="newton-cholesky", tol=1e-10)
    model.fit(design(battles, features), [int(battle.score) for battle in battles])
    found = bradley_terry(battles, features, resamples=2)
    expected = model.coef_[0][:4] - model.coef_[0][:4].mean()
    assert logits(found) == pytest.approx({f"m{number}": value for number, value in enumerate(expected)}, abs=1e-4)
    assert [rate.value for rate in found.style] == pytest.approx(model.coef_[0][4:], abs=1e-4)


def test_the_prior_hardly_counts_where_there_is_data() -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    battles, features = play(2000, tastes=(0.8,))
    features /= np.sqrt((features**2).mean(axis=0))
    scores = [battle.score for battle in battles]
    theirs = statsmodels.GLM(scores, design(battles, features)[:, 1:], family=statsmodels.families.Binomial()).fit()
    found = bradley_terry(battles, features, reference="m0", resamples=2)
    ours = [logits(found)[f"m{number}"] for number in (1, 2, 3)]
    assert [*ours, found.style[0].value] == pytest.approx(list(theirs.params), abs=2e-3)


def test_two_models_have_the_win_rate_as_their_chance() -> None:
    found = bradley_terry([("x", "y", 1.0)] * 60 + [("y", "x", 1.0)] * 20 + [("x", "y", 0.5)] * 20, resamples=50)
    assert found.chance("x", "y").value == pytest.approx(0.7, abs=1e-3)
    assert found.chance("y", "x").value == pytest.approx(0.3, abs=1e-3)
    # ln(7/3) x 400 / ln 10 points apart, around 1000
    assert [rating.value for rating in found.ratings] == pytest.approx([1073.6, 926.4], abs=0.3)
    assert (named(found, "x").wins, named(found, "x").ties, named(found, "x").losses) == (60, 20, 20)
    assert (named(found, "x").rank, named(found, "y").rank) == (1, 2)


def test_quality_is_found_under_a_taste_for_style() -> None:
    # Equal models, but m1 writes lists and the judge loves them.
    draw = np.random.default_rng(1)
    battles, features = [], []
    for number in range(800):
        difference = draw.normal(0.8, 1.0)
        battles.append(Battle("m1", "m0", float(draw.random() < expit(1.5 * difference)), f"q{number}"))
        features.append([difference])
    raw, fair = bradley_terry(battles, resamples=60), bradley_terry(battles, features, resamples=60)
    assert raw.chance("m1", "m0").low > 0.65
    assert fair.chance("m1", "m0").value == pytest.approx(0.5, abs=0.06)
    assert fair.chance("m1", "m0").low < 0.5 < fair.chance("m1", "m0").high
    assert fair.style[0].low > 1
    # With the mean subtracted, as Arena-Hard does, the baseline's lack of lists counts as a lack of quality again.
    centred = bradley_terry(battles, np.array(features) - np.mean(features), resamples=2)
    assert centred.chance("m1", "m0").value > 0.65


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sets(st.integers(0, 79)))
def test_sides_and_order_change_nothing(seed: int, turned: set[int]) -> None:
    battles, features = play(80, tastes=(0.5, 0.5), seed=seed)
    order = np.random.default_rng(seed).permutation(80)
    rows = [
        (Battle(battle.b, battle.a, 1 - float(battle.score), battle.question), -row)  # type: ignore[arg-type]
        if number in turned
        else (battle, row)
        for number, (battle, row) in enumerate(zip(battles, features, strict=True))
    ]
    mixed = [rows[place] for place in order]
    found = bradley_terry(battles, features, resamples=5)
    again = bradley_terry([row[0] for row in mixed], [row[1] for row in mixed], resamples=5)
    assert logits(again) == pytest.approx(logits(found), abs=1e-4)
    assert [rate.value for rate in again.style] == pytest.approx([rate.value for rate in found.style], abs=1e-4)
    assert [rating.settled for rating in again.ratings] == [rating.settled for rating in found.ratings]


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_one_more_win_raises_a_rating(seed: int, other: int) -> None:
    battles, _ = play(60, seed=seed)
    before = bradley_terry(battles, reference="m0", resamples=1)
    after = bradley_terry([*battles, Battle(f"m{other}", "m0", "A", "new")], reference="m0", resamples=1)
    assert logits(after)[f"m{other}"] > logits(before)[f"m{other}"]


def test_the_scale_is_chess_players() -> None:
    battles, _ = play(500)
    found = bradley_terry(battles, reference="m1", resamples=20)
    assert (named(found, "m1").value, named(found, "m1").low, named(found, "m1").high) == (1000, 1000, 1000)
    gap = named(found, "m3").value - named(found, "m0").value
    assert found.chance("m3", "m0").value == pytest.approx(1 / (1 + 10 ** (-gap / 400)))
    assert np.mean([rating.value for rating in bradley_terry(battles, resamples=2).ratings]) == pytest.approx(1000)
    assert [rating.model for rating in found.ratings] == ["m3", "m2", "m1", "m0"]


def test_models_never_compared_are_no_scale() -> None:
    with pytest.raises(ValueError, match=r"2 parts .*\(a, b; c, d\)"):
        bradley_terry([("a", "b", 1.0), ("b", "a", 1.0), ("c", "d", 0.5), ("d", "c", 1.0)])
    with pytest.raises(ValueError, match="2 parts"):
        bradley_terry([("a", "b", 1.0), ("b", "c", None), ("c", "d", 1.0)])


def test_a_model_that_wins_everything_has_no_upper_end() -> None:
    found = bradley_terry([("a", "b", 1.0)] * 10, resamples=50)
    best = named(found, "a")
    assert best.high == inf
    assert best.standard_error == inf
    assert not best.settled
    # Ten of ten: Wilson's lower limit is 10 / (10 + 1.96^2) = 0.7225, that is 166 points.
    assert best.low - 1000 == pytest.approx(400 * np.log10(0.7225 / 0.2775), abs=2)
    chance = found.chance("a", "b")
    assert (chance.low, chance.high) == (pytest.approx(0.7225, abs=2e-3), 1.0)
    assert (found.chance("b", "a").low, found.chance("b", "a").high) == (0.0, pytest.approx(0.2775, abs=2e-3))
    assert found.caveats
    assert bradley_terry([*[("a", "b", 1.0)] * 10, ("a", "b", 0.5)], resamples=50).caveats == ()


def test_many_orders_of_few_questions_do_not_make_an_unbroken_run_stronger() -> None:
    run = [Battle("a", "b", 1.0, f"q{number % 10}") for number in range(200)]
    assert bradley_terry(run, resamples=20).chance("a", "b").low == pytest.approx(0.7225, abs=2e-3)


def test_models_that_only_lost_to_the_same_one_have_no_distance_at_all() -> None:
    found = bradley_terry([("a", "b", 1.0)] * 9 + [("a", "c", 1.0)] * 5, reference="b", resamples=50)
    assert (named(found, "c").low, named(found, "c").high) == (-inf, inf)
    assert (found.chance("b", "c").low, found.chance("b", "c").high) == (0.0, 1.0)
    assert named(found, "a").high == inf
    assert named(found, "a").low > 1000
    assert named(found, "b").rank == named(found, "c").rank == 2


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])), min_size=1))
def test_groups_are_fords(battles: list[tuple[int, int, float]]) -> None:
    used = [battle for battle in battles if battle[0] != battle[1]] or [(0, 1, 1.0)]
    first, second, scores = (np.array(column) for column in zip(*used, strict=True))
    won = {(a, b) for a, b, score in used if score > 0} | {(b, a) for a, b, score in used if score < 1}
    # A group: every split of the five models that parts its members is crossed by wins both ways.
    splits = [{model for model in range(5) if mask >> model & 1} for mask in range(1, 31)]
    group = settle(first, second, scores, 5).group
    for a in range(5):
        for b in range(5):
            parting = [part for part in splits if a in part and b not in part]
            crossed = all(
                any(x in part and y not in part for x, y in won) and any(x not in part and y in part for x, y in won)
                for part in parting
            )
            assert (group[a] == group[b]) == (a == b or crossed)
            if group[a] == group[b]:
                assert connected(first, second, 5)[a] == connected(first, second, 5)[b]


def test_weight_counts_battles() -> None:
    battles, _ = play(60)
    heavy = [battle._replace(weight=3.0) if battle.score == 1 else battle for battle in battles]
    repeated = [battle for battle in battles for _ in range(3 if battle.score == 1 else 1)]
    assert logits(bradley_terry(heavy, resamples=2)) == pytest.approx(
        logits(bradley_terry(repeated, resamples=2)), abs=1e-5
    )


def test_battles_on_one_question_are_not_independent() -> None:
    battles, _ = play(200)
    copied = [battle._replace(question=f"q{number}") for number, battle in enumerate(battles) for _ in range(4)]
    honest, pretended = bradley_terry(copied), bradley_terry([battle[:3] for battle in copied])
    for rating in honest.ratings:
        assert rating.standard_error > 1.6 * named(pretended, rating.model).standard_error
    assert honest.questions == 200
    assert pretended.questions == 800


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        battles, features = play(200, tastes=(1.0,), seed=seed)
        chance = bradley_terry(battles, features, resamples=40, seed=seed).chance("m3", "m0")
        hits += chance.low <= expit(STRENGTHS[3] - STRENGTHS[0]) <= chance.high
    assert 0.85 <= hits / 60 < 1


def test_what_nobody_decided_is_counted() -> None:
    battles: list[Any] = [("a", "b", "A"), ("a", "b", "B"), ("a", "b", "skip"), ("a", "b", None), ("b", "a", "tie")]
    found = bradley_terry(battles, [[1.0], [-1.0], [99.0], [99.0], [0.5]], resamples=20)
    assert (found.battles, found.left_out, found.questions) == (3, 2, 3)
    without = bradley_terry([battles[0], battles[1], battles[4]], [[1.0], [-1.0], [0.5]], resamples=20)
    assert logits(found) == pytest.approx(logits(without), abs=1e-6)


def test_resamples_that_fall_apart_are_counted() -> None:
    # c is tied to the rest by one question of twelve: a resample lacks it in (11/12)^12 = 35% of cases.
    rest: list[Any] = [("a", "b", float(number % 2), f"q{number}") for number in range(11)]
    found = bradley_terry([*rest, ("b", "c", 0.5, "q11")], resamples=200)
    assert 45 <= found.draws_left_out <= 95
    assert f"{200 - found.draws_left_out} resamples" in found.method


def test_a_feature_that_controls_nothing_is_named() -> None:
    battles, features = play(200, tastes=(1.0,))
    found = bradley_terry(battles, [[row[0], 0.0] for row in features], resamples=5)
    assert found.style[1].value == 0
    assert any("feature 2 is the same" in caveat for caveat in found.caveats)
    owned = [
        [int(battle.a == "m3") - int(battle.b == "m3") + row[0] / 20]
        for battle, row in zip(battles, features, strict=True)
    ]
    assert any("feature 1 follows" in caveat for caveat in bradley_terry(battles, owned, resamples=5).caveats)


@pytest.mark.parametrize(
    ("battles", "arguments", "message"),
    [
        ([("a", "a", 1.0)], {}, "against itself"),
        ([("a", "b", 2.0)], {}, "from 0"),
        ([("a", "b", "win")], {}, "unknown outcome"),
        ([("a", "b", None)], {}, "not one of 1"),
        ([("a", "b", 1.0, "q", -1.0)], {}, "weight"),
        ([("a", "b", 1.0, "q"), ("b", "a", 1.0, "q")], {}, "one question"),
        ([("a", "b", 1.0), ("b", "a", 1.0)], {"reference": "c"}, "'c' has no scored battle"),
        ([("a", "b", 1.0), ("b", "a", 1.0)], {"features": [[1.0]]}, "2 battles, but features of 1"),
        ([("a", "b", 1.0), ("b", "a", 1.0)], {"features": [[1.0], [float("nan")]]}, "one row of numbers"),
    ],
)
def test_bad_input_is_refused_in_words(battles: list[Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bradley_terry(battles, **arguments)


def test_a_chance_of_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="no model 'c'"):
        bradley_terry([("a", "b", 1.0), ("b", "a", 1.0)], resamples=5).chance("a", "c")

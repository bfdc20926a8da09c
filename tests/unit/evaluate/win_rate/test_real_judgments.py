"""The numbers on real people's and a real judge's verdicts."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prefloop.evaluate.win_rate import (
    Battle,
    bradley_terry,
    length_controlled_win_rate,
    style_difference,
    style_features,
    win_rate,
)

pytestmark = pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA is not set")


@pytest.fixture(scope="module")
def data() -> Path:
    return Path(os.environ["PREFLOOP_TEST_DATA"])


@pytest.fixture(scope="module")
def pandalm(data: Path) -> list[Any]:
    with gzip.open(data / "preferences/pandalm_testset_v1.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def votes(rows: list[Any]) -> list[Battle]:
    """Three people's votes on each pair; all pairs of one question belong together."""
    return [
        Battle(*row["cmp_key"].split("_"), {1: "A", 2: "B", 0: "tie"}[row[person]], row["instruction"] + row["input"])
        for row in rows
        for person in ("annotator1", "annotator2", "annotator3")
    ]


def test_mt_bench_scores_of_gpt_4_as_a_win_rate(data: Path) -> None:
    with gzip.open(data / "mt_bench/model_judgment_gpt-4_single.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    scores = {(row["question_id"], row["turn"], row["model"]): row["score"] for row in rows}
    strong, weak = sorted({row["model"] for row in rows}, key=lambda name: name != "gpt-4-1106-preview")
    games = sorted({key[:2] for key in scores})
    preferences = [(np.sign(scores[*game, strong] - scores[*game, weak]) + 1) / 2 for game in games]
    found = win_rate(preferences, [question for question, _ in games])
    counts = Counter(preferences)
    assert (found.wins, found.ties, found.losses, found.left_out) == (counts[1], counts[0.5], counts[0], 0)
    assert (len(games), found.questions) == (160, 80)
    assert found.low > 0.5, "gpt-4-1106-preview beats Mixtral-8x7B"
    rated = bradley_terry([(strong, weak, score, str(game[0])) for score, game in zip(preferences, games, strict=True)])
    chance = rated.chance(strong, weak)
    assert chance.value == pytest.approx(found.value, abs=1e-3)
    assert (chance.low, chance.high) == pytest.approx((found.low, found.high), abs=0.02)


def test_pandalms_models_are_ranked_as_scikit_learn_ranks_them(pandalm: list[Any]) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    battles = votes(pandalm)
    found = bradley_terry(battles)
    names = sorted({battle.a for battle in battles} | {battle.b for battle in battles})
    matrix = np.array([[(battle.a == name) - (battle.b == name) for name in names] for battle in battles], dtype=float)
    scores = np.array([{"A": 1.0, "B": 0.0, "tie": 0.5}[str(battle.score)] for battle in battles])
    model = linear_model.LogisticRegression(C=25, fit_intercept=False, solver="newton-cholesky", tol=1e-10)
    model.fit(np.vstack([matrix, matrix]), np.repeat([1, 0], len(scores)), np.concatenate([scores, 1 - scores]))
    expected = 1000 + 400 / np.log(10) * (model.coef_[0] - model.coef_[0].mean())
    assert {rating.model: rating.value for rating in found.ratings} == pytest.approx(
        dict(zip(names, expected, strict=True)), abs=0.05
    )
    assert (found.battles, found.questions, len(names)) == (2997, 170, 5)
    assert [found.ratings[0].model, found.ratings[-1].model] == ["llama-7b", "cerebras-gpt-6.7B"]
    naive = bradley_terry([battle[:3] for battle in battles])
    assert found.ratings[0].standard_error > 1.4 * naive.ratings[0].standard_error, "votes on one question go together"


def test_pandalms_annotators_like_length(pandalm: list[Any]) -> None:
    battles = votes(pandalm)
    answers = [(str(row["response1"]), str(row["response2"])) for row in pandalm for _ in range(3)]
    features = [style_difference(style_features(a), style_features(b)) for a, b in answers]
    found = bradley_terry(battles, features)
    assert found.style[0].low > 0
    assert any("feature 4 is the same" in caveat for caveat in found.caveats), "nobody writes bold"
    scores = [{"A": 1.0, "B": 0.0, "tie": 0.5}[str(battle.score)] for battle in battles]
    lengths = [len(a) - len(b) for a, b in answers]
    controlled = length_controlled_win_rate(scores, lengths, clusters=[battle.question for battle in battles])
    assert controlled.length > 0.5
    assert controlled.questions == 170
    assert controlled.low < controlled.raw < controlled.high

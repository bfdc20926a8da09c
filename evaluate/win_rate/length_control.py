"""The win rate if both answers were equally long: AlpacaEval 2's model, and one against the user's own base model.

Dubois et al. 2024, "Length-Controlled AlpacaEval" (arXiv 2404.04475), equations 1 to 3, with the constants of its
code: logit P = length * tanh(d / sd) + difficulty * gamma + quality, read off with the length term at 0.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ...collect.intervals import wilson
from .logistic import fit_lasso, fit_ridge, log_loss
from .outcomes import Scale, read_clusters, read_preferences
from .resampling import Rate, percentiles, resampled_weights

Array = Any

STRENGTHS = tuple(10 ** (-4 + 8 * step / 9) for step in range(10))
"""The penalties tried: scikit-learn's default of 10 values of C from 1e-4 to 1e4."""
FOLDS = 5
GAMED_WEIGHT = 0.1
"""Of each gamed row: lambda = 0.2, halved because there are two gamed baselines, a verbose and a concise one."""
ONE_SIDED = 0.9
"""Where so many answers are longer (or shorter), equal length lies at the edge of what was seen."""

Gamed = tuple[float, float, float]
"""Of one question: the preference (0 to 1), the length difference in standard deviations, the difficulty."""


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A length-controlled win rate: a share in [0, 1] with its 95% interval, and what it was made of."""

    value: float
    standard_error: float
    low: float
    high: float
    raw: float
    """The mean preference, length not controlled."""
    length: float
    """Logits for the tanh of a length difference of the model: above 0 where the judge likes its longer answers."""
    difficulty: float
    """Logits a unit of difficulty; 0 without difficulties."""
    quality: float
    """Logits for the model at equal length and difficulty 0."""
    strength: float | None
    """The penalty that cross-validation chose (scikit-learn's C); None without difficulties: nothing is chosen."""
    longer: float
    """The share of questions in which the model's answer is the longer one; equal lengths count one half."""
    questions: int
    left_out: int
    """Comparisons without a score: not fitted, but part of what is predicted, as in AlpacaEval."""
    method: str
    caveats: tuple[str, ...]
    """Reasons to distrust the number, in words."""


@dataclass(frozen=True, slots=True)
class _Data:
    """What is fitted: the gamed rows first, then the scored ones."""

    matrix: Array
    labels: Array
    weights: Array
    predicted: Array
    """The rows to predict, length term 0: every comparison, scored or not."""
    scored: Array
    """Which of the predicted rows were scored."""
    groups: Array
    """The question of each fitted row, as a number; a gamed row is a question of its own."""
    questions: list[str]
    """Of each comparison."""

    @property
    def own(self) -> Array:
        """The scores without the gamed rows'."""
        return self.labels[len(self.labels) - int(self.scored.sum()) :]


def length_controlled_win_rate(
    preferences: Sequence[float | None],
    length_difference: Sequence[float],
    difficulty: Sequence[float] | None = None,
    gamed: Sequence[Gamed] | None = None,
    *,
    clusters: Sequence[Hashable] | None = None,
    scale: Scale | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> LengthControlled:
    """Return the win rate at equal length.

    With difficulties this is AlpacaEval 2's number: absolute-value penalty, its strength chosen by five-fold
    cross-validation of the log loss. Without, the comparison is with your own base, for whose questions nobody has
    published difficulties: the same model without that term (AlpacaEval's `length_controlled_minimal`), fitted under
    the weak prior of `logistic.fit_ridge`, so that exchanging the two models gives exactly one minus the rate.

    The interval is a bootstrap over questions of the same model under the weak prior: AlpacaEval's penalty pulls
    towards 50%, and resampled it would claim certainty there. AlpacaEval's own `lc_standard_error` is the spread of
    the predictions over questions; it holds no error of the fit and is not computed here.

    Args:
        preferences: As for `win_rate`.
        length_difference: Characters (or tokens) of the model's answer minus the other's. AlpacaEval's files have it
            the other way round; with `gamed` the same way round the rate is the same, and only `length` and `longer`
            are turned.
        difficulty: AlpacaEval's instruction difficulty of each comparison.
        gamed: AlpacaEval's `df_gamed` rows (preference, std_delta_len, instruction_difficulty), its sign of the length
            turned as above; its regularisation towards the gamed baselines is left out without them.
        clusters: The question of each comparison; by default each is a question of its own.
        scale: See `outcomes.read_preferences`.
        resamples: How many resamples of the questions are drawn.
        seed: Of the draws.

    Raises:
        ValueError: columns of unlike length, values that are no numbers, fewer than 5 scored questions, all answers
            differ by the same length, or gamed rows without difficulties.
    """
    if gamed and difficulty is None:
        raise ValueError("gamed rows come with difficulties: give the difficulty of each comparison too")
    read, _ = read_preferences(preferences, scale)
    questions = read_clusters(clusters, len(read))
    columns = _columns(len(read), length_difference, difficulty)
    data = _prepare(read, columns, gamed or (), questions)
    strength = _choose_strength(data) if difficulty is not None else None
    found = _fit(data, strength)
    rate = percentiles(_predict(found, data.predicted, None), _resample(data, resamples, seed))
    return _result(data, rate, found, strength, length_difference)


def _result(
    data: _Data, rate: Rate, found: Array, strength: float | None, length_difference: Sequence[float]
) -> LengthControlled:
    scores = data.own
    asked = {name for name, known in zip(data.questions, data.scored, strict=True) if known}
    low, high = rate.low, rate.high
    if scores.min() == scores.max():  # no resample shows the outcome that was never seen
        limits = wilson(float(scores[0]), len(asked))
        low, high = min(low, limits[0]), max(high, limits[1])
    raw = float(scores.mean())
    longer = sum((d > 0) + (d == 0) / 2 for d in length_difference) / len(data.questions)
    return LengthControlled(
        value=rate.value,
        standard_error=rate.standard_error,
        low=low,
        high=high,
        raw=raw,
        length=float(found[0]),
        difficulty=float(found[1]),
        quality=float(found[2]),
        strength=strength,
        longer=float(longer),
        questions=len(asked),
        left_out=len(data.questions) - len(scores),
        method=f"bootstrap over {len(asked)} questions",
        caveats=tuple(_caveats(rate.value, raw, float(longer))),
    )


def _columns(count: int, length_difference: Sequence[float], difficulty: Sequence[float] | None) -> Array:
    """Return the design, shape (count, 3): tanh of the length in standard deviations, difficulty, 1."""
    import numpy as np

    lengths = np.asarray(length_difference, dtype=float)
    hardness = np.zeros(count) if difficulty is None else np.asarray(difficulty, dtype=float)
    if lengths.shape != (count,) or hardness.shape != (count,):
        raise ValueError(
            f"{count} preferences, {len(lengths)} length differences, {len(hardness)} difficulties: give one of each"
        )
    if not (np.isfinite(lengths).all() and np.isfinite(hardness).all()):
        raise ValueError("every comparison needs its length difference and its difficulty, also the unscored ones")
    spread = lengths.std(ddof=1) if count > 1 else 0.0
    if spread == 0 and lengths.any():
        raise ValueError("all answers differ by the same length, so that length and quality can't be told apart")
    return np.column_stack([np.tanh(lengths / (spread or 1.0)), hardness, np.ones(count)])


def _prepare(read: Sequence[float | None], columns: Array, gamed: Sequence[Gamed], questions: list[str]) -> _Data:
    import numpy as np

    scored = np.array([score is not None for score in read], dtype=bool)
    own = np.array([score for score in read if score is not None], dtype=float)
    kept = [name for name, known in zip(questions, scored, strict=True) if known]
    if len(set(kept)) < FOLDS:
        raise ValueError(f"{len(set(kept))} scored questions are too few to control for length: at least {FOLDS}")
    rows = np.asarray(gamed, dtype=float).reshape(-1, 3)
    if not np.isfinite(rows).all() or ((rows[:, 0] < 0) | (rows[:, 0] > 1)).any():
        raise ValueError("a gamed row is (preference from 0 to 1, length difference in deviations, difficulty)")
    numbers = {name: len(rows) + number for number, name in enumerate(dict.fromkeys(kept))}
    predicted = columns.copy()
    predicted[:, 0] = 0.0
    return _Data(
        matrix=np.vstack([np.column_stack([np.tanh(rows[:, 1]), rows[:, 2], np.zeros(len(rows))]), columns[scored]]),
        labels=np.concatenate([rows[:, 0], own]),
        weights=np.concatenate([np.full(len(rows), GAMED_WEIGHT), np.ones(len(own))]),
        predicted=predicted,
        scored=scored,
        groups=np.array([*range(len(rows)), *(numbers[name] for name in kept)]),
        questions=questions,
    )


def _choose_strength(data: _Data) -> float:
    """Return the penalty with the least mean log loss on the held-out folds, the strongest where several are equal.

    A fold takes every fifth question from the last one on: scikit-learn's `GroupKFold` for groups of one size.
    """
    import numpy as np

    folds = (data.groups.max() - data.groups) % FOLDS

    def held_out(fold: int, strength: float) -> float:
        train, test = folds != fold, folds == fold
        found = fit_lasso(data.matrix[train], data.labels[train], data.weights[train], strength=strength)
        losses = log_loss(data.matrix[test] @ found, data.labels[test])
        return float((losses * data.weights[test]).mean())

    losses = [np.mean([held_out(fold, strength) for fold in range(FOLDS)]) for strength in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def _fit(data: _Data, strength: float | None) -> Array:
    if strength is None:
        return fit_ridge(data.matrix, data.labels, data.weights)
    return fit_lasso(data.matrix, data.labels, data.weights, strength=strength)


def _resample(data: _Data, resamples: int, seed: int) -> Array:
    """Return the rate of each resample of the questions, shape (resamples,); the gamed rows stay as they are."""
    import numpy as np

    start = fit_ridge(data.matrix, data.labels, data.weights)
    gamed = len(data.labels) - len(data.own)
    rates = []
    for drawn in resampled_weights(data.questions, resamples, seed):
        weights = np.concatenate([data.weights[:gamed], drawn[data.scored]])
        rates.append(_predict(fit_ridge(data.matrix, data.labels, weights, start=start), data.predicted, drawn))
    return np.array(rates)


def _predict(found: Array, rows: Array, weights: Array | None) -> float:
    import numpy as np
    from scipy.special import expit

    return float(np.average(expit(rows @ found), weights=weights))


def _caveats(value: float, raw: float, longer: float) -> list[str]:
    found = []
    if max(longer, 1 - longer) >= ONE_SIDED:
        word = "longer" if longer > 0.5 else "shorter"
        found.append(
            f"the model's answer is the {word} one in {max(longer, 1 - longer):.0%} of the comparisons: hardly "
            "anything was seen near equal length, and the rate there is extrapolated"
        )
    # AlpacaEval's own alarm: more than 10 points, and more than a quarter of the way to 0% or 100%.
    if value < min(raw * 3 / 4, raw - 0.1) or value > max(raw + (1 - raw) / 4, raw + 0.1):
        found.append(
            f"length changes the rate from {raw:.0%} to {value:.0%}: either the judge pays for length, or the model of "
            "length does not fit; read some of the answers"
        )
    return found

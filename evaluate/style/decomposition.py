"""How much of a win rate is style: what would be left if style differences were as likely the other way round.

A logistic model of the preference, logit P = quality + coefficients . style difference (Arena-Hard's features, Li et
al. 2024, arXiv 2406.11939), is fitted under the weak prior of `win_rate.logistic`. The balanced win rate is
standardised over the style differences seen (g-computation: Robins 1986, Mathematical Modelling 7, 1393-1512): each of
them once as it is and once with the sides exchanged. Unlike the rate at equal style, it is not pushed away from a half
by style that favours neither model: what a judge pays for style that both use alike is noise, and no style of the tuned
model's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..estimate import Estimate
from ..statistics import Plan
from ..win_rate.logistic import PRIOR_DEVIATION, fit_ridge
from ..win_rate.resampling import resampled_weights
from .compared import scaled

Array = Any
FOLDS = 5
RESAMPLES = 1000
"""Each of them is a fit; more would change the second digit of an interval."""
STEPS = 12
LONGEST_STEP = 2.0
"""Of Newton's method, in logits; a fit that it doesn't reach is made by `fit_ridge`."""
FEATURES = ("length", "headers", "lists", "bold")


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A win rate in two parts; shares are in [0, 1]."""

    raw: Estimate
    """The mean preference."""
    balanced: Estimate
    """If each difference in style were as likely the other way round."""
    explained: Estimate
    """Raw minus balanced: what the style of the tuned model's answers brought."""
    share: Estimate | None
    """Explained over what the raw rate is above (or below) one half; None where the raw rate's interval holds one half,
    so that there is nothing to divide."""
    weights: tuple[tuple[str, Estimate], ...]
    """For each feature that varies: logits for a typical difference (root mean square), above 0 where more is liked."""
    guessed: Estimate | None
    """The share of decided comparisons whose winner style alone names, by a model fitted on other prompts (a guess
    that names neither counts half); None with fewer than `FOLDS` prompts or nothing decided."""


def decompose(
    preferences: Sequence[float], differences: Sequence[Sequence[float]], prompts: Sequence[str], plan: Plan
) -> Decomposition | None:
    """Tell style's part of a win rate.

    Args:
        preferences: From 0 (the model loses) to 1 (it wins).
        differences: The difference in style of each comparison, as `win_rate.style_difference` has it.
        prompts: What each comparison is on; those on one prompt are resampled together.
        plan: How intervals are made; of its samples at most `RESAMPLES` are drawn.

    Returns:
        None where all preferences are equal or there are fewer than `FOLDS` prompts: then nothing tells style and
        substance apart.

    Raises:
        ValueError: there is not one preference, difference and prompt a comparison.
    """
    import numpy as np

    if not len(preferences) == len(differences) == len(prompts):
        raise ValueError(
            f"{len(preferences)} preferences, {len(differences)} differences, {len(prompts)} prompts: give one of each"
        )
    if len(set(prompts)) < FOLDS or min(preferences) == max(preferences):
        return None
    labels, style = np.asarray(preferences, dtype=float), scaled(differences)
    design = np.column_stack([style, np.ones(len(labels))])
    found = fit_ridge(design, labels, np.ones(len(labels)))
    value = [float(one) for one in _parts(design, labels, np.ones((1, len(labels))), found[None])[0]]
    draws = np.concatenate(list(_resampled(design, labels, prompts, plan, found)))

    def estimate(number: int) -> Estimate:
        return _estimate(value[number], draws[:, number], prompts, plan)

    raw = estimate(0)
    return Decomposition(
        raw=raw,
        balanced=estimate(1),
        explained=estimate(2),
        share=_share(raw, value, draws, prompts, plan),
        weights=tuple((name, estimate(3 + at)) for at, name in enumerate(FEATURES) if style[:, at].any()),
        guessed=_guessed(labels, style, prompts, plan),
    )


def _resampled(design: Array, labels: Array, prompts: Sequence[str], plan: Plan, start: Array) -> Iterator[Array]:
    """Yield the parts of some resamples at a time, shape (resamples, parts)."""
    import numpy as np

    size = max(1, 2_000_000 // len(labels))  # 16 MB of weights
    draws = resampled_weights(prompts, min(plan.samples, RESAMPLES), plan.seed)
    while slice_ := list(islice(draws, size)):
        weights = np.array(slice_)
        yield _parts(design, labels, weights, _fit_all(design, labels, weights, start))


def _fit_all(design: Array, labels: Array, weights: Array, start: Array) -> Array:
    """Return what `fit_ridge` would for each row of weights, shape (resamples, columns), by Newton's method."""
    import numpy as np
    from scipy.special import expit

    found = np.tile(start, (len(weights), 1))
    prior = np.eye(design.shape[1]) / PRIOR_DEVIATION**2
    for _ in range(STEPS):
        chances = expit(found @ design.T)
        slope = (weights * (chances - labels)) @ design + found @ prior
        bend = np.einsum("rn,ni,nj->rij", weights * chances * (1 - chances), design, design, optimize=True) + prior
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        found -= step * np.minimum(1.0, LONGEST_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
    for row in np.flatnonzero(np.abs(step).max(axis=1) > 1e-6):
        found[row] = fit_ridge(design, labels, weights[row], start=start)
    return found


def _parts(design: Array, labels: Array, weights: Array, found: Array) -> Array:
    """Return the raw rate, the balanced one, what style explains, and the features' coefficients.

    Args:
        design: Style and a column of ones, shape (comparisons, columns).
        labels: Preferences, shape (comparisons,).
        weights: Shape (resamples, comparisons).
        found: Coefficients, shape (resamples, columns).
    """
    import numpy as np
    from scipy.special import expit

    style, quality = found[:, :-1] @ design[:, :-1].T, found[:, -1:]
    total = weights.sum(axis=1)
    explained = (weights * (expit(quality + style) - expit(quality - style)) / 2).sum(axis=1) / total
    raw = weights @ labels / total
    return np.column_stack([raw, np.clip(raw - explained, 0.0, 1.0), explained, found[:, :-1]])


def _share(raw: Estimate, value: Sequence[float], draws: Array, prompts: Sequence[str], plan: Plan) -> Estimate | None:
    import numpy as np

    if raw.low <= 0.5 <= raw.high:
        return None
    above = draws[:, 0] - 0.5
    kept = np.sign(above) == np.sign(raw.value - 0.5)
    return _estimate(value[2] / (raw.value - 0.5), draws[kept, 2] / above[kept], prompts, plan)


def _estimate(value: float, draws: Array, prompts: Sequence[str], plan: Plan) -> Estimate:
    import numpy as np

    tail = (1 - plan.confidence) / 2
    low, high = (float(end) for end in np.quantile(draws, [tail, 1 - tail]))
    method = f"bootstrap over {len(set(prompts))} {plan.unit}"
    return Estimate(value, min(low, value), max(high, value), len(prompts), method)


def _guessed(labels: Array, style: Array, prompts: Sequence[str], plan: Plan) -> Estimate | None:
    """Let style alone name the winner; prompts in a fixed order take turns in the folds."""
    import numpy as np

    from ..statistics import estimate_share

    numbers = {prompt: number for number, prompt in enumerate(sorted(set(prompts)))}
    folds = np.array([numbers[prompt] % FOLDS for prompt in prompts])
    scores = np.full(len(labels), 0.5)
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        found = fit_ridge(style[train], labels[train], np.ones(int(train.sum())))
        scores[test] = (np.sign(style[test] @ found) * np.sign(labels[test] - 0.5) + 1) / 2
    decided = labels != 0.5
    if not decided.any():
        return None
    kept = [prompt for prompt, known in zip(prompts, decided, strict=True) if known]
    return estimate_share([float(score) for score in scores[decided]], kept, plan)

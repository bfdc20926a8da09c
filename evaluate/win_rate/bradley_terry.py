"""Many models on one scale, from comparisons of two at a time, with their style held equal where it is given.

Bradley and Terry 1952 (Biometrika 39, 324-345), in Chatbot Arena's scale (Chiang et al. 2024, arXiv 2403.04132): 400
points are odds of 10 to 1, 1000 is the reference; a tie is half a win for each. Annotators' skill is another model:
`collect.reliability.bradley_terry`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, log
from statistics import NormalDist
from typing import Any

from .battles import Battle, Battles, read_battles
from .comparison_graph import Settled, connected, require_connected, settle
from .logistic import fit_ridge
from .resampling import Rate, percentiles, resampled_weights

Array = Any

POINTS = 400 / log(10)
"""Rating points a logit."""
MIDDLE = 1000.0
"""The reference's rating."""
EXPLAINED = 0.9
"""With so much of a style feature explained by who answered, style and quality can hardly be told apart."""


@dataclass(frozen=True, slots=True)
class Rating:
    """One model on the scale."""

    model: str
    value: float
    standard_error: float
    """Infinite where the distance to the reference is not settled."""
    low: float
    """The lower end of the 95% interval; minus infinity where the model never scored against the others' group."""
    high: float
    rank: int
    """1 + the number of models that have a way of wins to this one and are ahead in 97.5% of the resamples."""
    wins: int
    ties: int
    losses: int
    settled: bool
    """Whether the distance to the reference is settled; if not, only its direction and the near end are."""


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """All models on the scale, best first."""

    ratings: tuple[Rating, ...]
    style: tuple[Rate, ...]
    """For each feature: logits for a typical (root mean square) difference, above 0 where the judge likes more."""
    reference: str | None
    """The model at 1000; None where the mean of the largest settled group is."""
    battles: int
    questions: int
    left_out: int
    """Battles without a score."""
    draws_left_out: int
    """Resamples in which the models fell apart, so that no scale holds them all."""
    method: str
    caveats: tuple[str, ...]
    _models: tuple[str, ...] = field(repr=False)
    _draws: "_Draws" = field(repr=False, compare=False)

    def chance(self, model: str, other: str) -> Rate:
        """Return the chance that the model wins against the other, at equal style where style was given.

        Raises:
            ValueError: a model without a rating.
        """
        for name in (model, other):
            if name not in self._models:
                raise ValueError(f"no model {name!r} was rated, only {', '.join(self._models)}")
        return self._draws.chance(self._models.index(model), self._models.index(other))


@dataclass(frozen=True, slots=True)
class _Draws:
    """Strengths in logits, as fitted and resampled, relative to the reference."""

    settled: Settled
    fitted: Array
    """Shape (models + features,)."""
    drawn: Array
    """Shape (resamples, models + features)."""
    cautious: Array
    """The same with what was always won or lost taken at Wilson's limit; equal to `drawn` where all is settled."""

    def chance(self, model: int, other: int) -> Rate:
        from scipy.special import expit

        value = float(expit(self.fitted[model] - self.fitted[other]))
        rate = percentiles(value, expit(self.drawn[:, model] - self.drawn[:, other]))
        if self.settled.group[model] == self.settled.group[other]:
            return rate
        near = percentiles(value, expit(self.cautious[:, model] - self.cautious[:, other]))
        above, below = self.settled.above(model, other), self.settled.above(other, model)
        return Rate(value, inf, near.low if above else 0.0, near.high if below else 1.0)


def bradley_terry(
    battles: Sequence[Battle | tuple[Any, ...]],
    features: Sequence[Sequence[float]] | None = None,
    *,
    reference: str | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> BradleyTerry:
    """Rate models by who beats whom, with a bootstrap over questions.

    With features the chance of a win is s(strength_a - strength_b + coefficients . features), and the ratings hold at
    equal style. Features are divided by their root mean square, so that changing the sides of a battle changes nothing.
    Arena-Hard also subtracts their mean; with one baseline that always stands on the same side this rates the models at
    the average difference in style, not at none. Subtract the mean yourself to get its number.

    A weak normal prior (deviation 5 logits, 869 points) on all strengths and coefficients gives separable data a fit.
    Where one side won everything against another, the distance has no upper end: its interval is infinite on the far
    side, and the near end takes the unbroken wins at Wilson's lower limit for the number of questions behind them.

    Args:
        battles: At least one that is scored.
        features: The difference in style (first minus second, `style.style_difference`) of each battle, scored or not.
        reference: The model to be at 1000; by default the mean of the largest group with settled distances.
        resamples: How many resamples of the questions are drawn.
        seed: Of the draws.

    Raises:
        ValueError: a model against itself, a score or a feature that is none, a reference that did not play, one
            question only, or models that were never compared, not even through others.
    """
    data = read_battles([Battle(*battle) for battle in battles], features)
    require_connected(data.models, data.first, data.second)
    if len(set(data.questions)) < 2:
        raise ValueError("all battles are on one question, which says nothing about others: at least two are needed")
    if reference is not None and reference not in data.models:
        raise ValueError(f"the reference {reference!r} has no scored battle, only {', '.join(data.models)} have")
    settled = settle(data.first, data.second, data.scores, len(data.models))
    core = _core(data, settled, reference)
    draws, lost = _fit(data, settled, core, resamples, seed)
    anchor = core[0]
    ratings = [_rate(number, anchor, data, draws) for number in range(len(data.models))]
    columns = range(len(data.models), len(draws.fitted))
    return BradleyTerry(
        ratings=tuple(sorted(ratings, key=lambda rating: (-rating.value, rating.model))),
        style=tuple(percentiles(float(draws.fitted[column]), draws.drawn[:, column]) for column in columns),
        reference=reference,
        battles=len(data.scores),
        questions=len(set(data.questions)),
        left_out=data.left_out,
        draws_left_out=lost,
        method=f"bootstrap over {len(set(data.questions))} questions, {resamples - lost} resamples",
        caveats=tuple(_caveats(data, settled)),
        _models=data.models,
        _draws=draws,
    )


def _core(data: Battles, settled: Settled, reference: str | None) -> list[int]:
    """Return the models whose mean is at 1000: the reference, or the largest settled group."""
    import numpy as np

    if reference is not None:
        return [data.models.index(reference)]
    games = np.bincount(np.concatenate([settled.group[data.first], settled.group[data.second]]))
    sizes = np.bincount(settled.group)
    best = max(range(len(sizes)), key=lambda group: (sizes[group], games[group], -group))
    return [number for number, group in enumerate(settled.group) if group == best]


def _fit(data: Battles, settled: Settled, core: list[int], resamples: int, seed: int) -> tuple[_Draws, int]:
    import numpy as np

    design = data.design()
    modest = _modest(data, settled)
    fitted = fit_ridge(design, data.scores, data.weights)
    start = fit_ridge(design, modest, data.weights)
    drawn, cautious = [], []
    for weights in _connected_draws(data, resamples, seed):
        drawn.append(fit_ridge(design, data.scores, weights, start=fitted))
        if settled.group.max() > 0:
            cautious.append(fit_ridge(design, modest, weights, start=start))
    if not drawn:
        raise ValueError("the models fall apart in every resample: too few questions tie them together")
    models = len(data.models)

    def relative(rows: Array) -> Array:
        shifted = rows.copy()
        shifted[..., :models] -= rows[..., core].mean(axis=-1, keepdims=True)
        return shifted

    draws = relative(np.array(drawn))
    near = relative(np.array(cautious)) if cautious else draws
    return _Draws(settled, relative(fitted), draws, near), resamples - len(drawn)


def _connected_draws(data: Battles, resamples: int, seed: int) -> Iterator[Array]:
    for drawn in resampled_weights(data.questions, resamples, seed):
        kept = drawn > 0
        if connected(data.first[kept], data.second[kept], len(data.models)).max() == 0:
            yield data.weights * drawn


def _modest(data: Battles, settled: Settled) -> Array:
    """Return the scores, those between groups at Wilson's 95% limit for the number of questions behind them."""
    import numpy as np

    scores, group = data.scores.copy(), settled.group
    across = group[data.first] != group[data.second]
    pairs = np.sort(np.column_stack([group[data.first], group[data.second]]), axis=1)
    z = NormalDist().inv_cdf(0.975)
    for pair in np.unique(pairs[across], axis=0):
        rows = (pairs == pair).all(axis=1)
        count = len({question for question, row in zip(data.questions, rows, strict=True) if row})
        limit = count / (count + z * z)
        scores[rows] = np.where(scores[rows] == 1, limit, 1 - limit)
    return scores


def _rate(number: int, anchor: int, data: Battles, draws: _Draws) -> Rating:
    import numpy as np

    settled, models = draws.settled, len(data.models)
    inside = settled.group[number] == settled.group[anchor]
    found = percentiles(float(draws.fitted[number]), draws.drawn[:, number])
    error, low, high = found.standard_error, found.low, found.high
    if not inside:
        near = percentiles(float(draws.fitted[number]), draws.cautious[:, number])
        error = inf
        low = near.low if settled.above(number, anchor) else -inf
        high = near.high if settled.above(anchor, number) else inf
    ahead = (draws.drawn[:, :models] > draws.drawn[:, [number]]).mean(axis=0)
    own = np.concatenate([data.scores[data.first == number], 1 - data.scores[data.second == number]])
    return Rating(
        model=data.models[number],
        value=MIDDLE + POINTS * found.value,
        standard_error=POINTS * error,
        low=MIDDLE + POINTS * low,
        high=MIDDLE + POINTS * high,
        rank=1 + int(((ahead >= 0.975) & settled.reaches[:, number]).sum()),
        wins=int((own > 0.5).sum()),
        ties=int((own == 0.5).sum()),
        losses=int((own < 0.5).sum()),
        settled=bool(inside),
    )


def _caveats(data: Battles, settled: Settled) -> Iterator[str]:
    import numpy as np

    if settled.group.max() > 0:
        yield (
            "some models won or lost everything against others: their distance has no far end, and the number given "
            "for it only holds by the prior"
        )
    models = len(data.models)
    who = data.design()[:, :models].toarray()
    for number, column in enumerate(data.features.T, 1):
        if not column.any():
            yield f"feature {number} is the same in both answers of every battle: there is nothing to control"
            continue
        rest = column - who @ np.linalg.lstsq(who, column, rcond=None)[0]
        if 1 - (rest @ rest) / (column @ column) > EXPLAINED:
            yield (
                f"feature {number} follows almost entirely from who answered: the judge's taste for it and the models' "
                "quality can hardly be told apart"
            )

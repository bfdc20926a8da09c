"""A share whose scores belong to a prompt and to an annotator at once, however few of the pairs were filled.

The same annotator's votes stand or fall together, and so do the votes on one prompt. The variance of the weighted mean
is clustered both ways, V = V_prompts + V_annotators - V_votes (Cameron, Gelbach and Miller 2011, Journal of Business &
Economic Statistics 29, 238-249), never below either of the two, with Satterthwaite's degrees of freedom (1946,
Biometrics Bulletin 2, 110-114). Where everybody votes on everything `statistics.cross` estimates the same variance;
real queues share the prompts out, and then only this one is defined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from ...collect.intervals import wilson
from ..estimate import Estimate
from ..statistics import Plan
from ..statistics.distributions import student_quantile


@dataclass(frozen=True, slots=True)
class Score:
    """One vote, or a prompt on which nobody had to be asked."""

    value: float
    """From 0 to 1."""
    prompt: str
    annotator: str | None
    """None where nobody was asked."""
    weight: float
    """Its share of the mean; the weights of all scores add up to 1."""


def share_two_ways(scores: Sequence[Score], plan: Plan) -> Estimate:
    """Estimate the weighted mean of scores in [0, 1]: Wilson's interval on as many trials as its variance is worth.

    One annotator alone says nothing about how much another would differ; the method then says so.

    Raises:
        ValueError: there are no scores, a score is not from 0 to 1, or the weights don't add up to 1.
    """
    total = sum(score.weight for score in scores)
    if not scores or abs(total - 1) > 1e-9 or not all(0 <= score.value <= 1 for score in scores):
        raise ValueError(f"{len(scores)} scores with weights of {total:.3f} in all; scores from 0 to 1 are needed")
    # Where all scores are the same rounding must not make a spread of it.
    same = len({score.value for score in scores}) == 1
    mean = scores[0].value if same else sum(score.weight * score.value for score in scores)
    pulls = [(score, score.weight * (score.value - mean)) for score in scores]
    prompts = len({score.prompt for score in scores})
    annotators = len({score.annotator for score in scores} - {None})
    variance, freedom = _variance(pulls, prompts, annotators)
    spread = mean * (1 - mean)
    trials = spread / variance if spread and variance else float(prompts)
    # In Wilson's formula z stands only as z²/n, so fewer trials do what Student's larger quantile would.
    low, high = wilson(mean, trials * (plan.z / _quantile(freedom, plan)) ** 2, plan.confidence)
    alone = " (their own variance unknown)" if annotators == 1 else ""
    method = f"Wilson on {prompts} prompts x {annotators} annotator{'s' * (annotators != 1)}{alone}"
    return Estimate(mean, low, high, len(scores), method)


def _variance(pulls: Sequence[tuple[Score, float]], prompts: int, annotators: int) -> tuple[float, float]:
    """Return the variance of the mean and its degrees of freedom."""
    if prompts < 2:
        return 0.0, inf
    by_prompt = _squares((score.prompt, pull) for score, pull in pulls) * prompts / (prompts - 1)
    if annotators < 2:
        return by_prompt, prompts - 1
    asked = [(score, pull) for score, pull in pulls if score.annotator is not None]
    by_annotator = _squares((str(score.annotator), pull) for score, pull in asked) * annotators / (annotators - 1)
    by_vote = sum(pull**2 for _, pull in asked) * len(asked) / max(1, len(asked) - 1)
    total = max(by_prompt + by_annotator - by_vote, by_prompt, by_annotator)
    parts = (by_prompt, prompts - 1), (by_annotator, annotators - 1), (by_vote, max(1, len(asked) - 1))
    error = sum(square**2 / freedom for square, freedom in parts)
    return total, total**2 / error if error else inf


def _squares(pulls: Iterator[tuple[str, float]]) -> float:
    sums: dict[str, float] = {}
    for name, pull in pulls:
        sums[name] = sums.get(name, 0.0) + pull
    return sum(each**2 for each in sums.values())


def _quantile(freedom: float, plan: Plan) -> float:
    return plan.z if freedom == inf else student_quantile((1 + plan.confidence) / 2, freedom)

"""How often a model is preferred to another, as it was judged, with what was counted."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ...collect.intervals import bootstrap, standard_error, wilson
from .outcomes import Scale, read_clusters, read_preferences
from .resampling import Rate


@dataclass(frozen=True, slots=True)
class Preferred:
    """A raw win rate: shares in [0, 1] with 95% intervals, and every comparison in one of the counts."""

    value: float
    """The mean preference, a tie one half: what AlpacaEval calls the win rate and MT-Bench the adjusted one."""
    standard_error: float
    low: float
    high: float
    outright: Rate
    """Wins over all scored comparisons: MT-Bench's unadjusted win rate."""
    decided: Rate | None
    """Wins over wins and losses, ties left out; None where everything was tied."""
    wins: int
    ties: int
    """Preferences of exactly one half."""
    losses: int
    left_out: int
    """Comparisons without a score: in none of the other counts."""
    questions: int
    """With at least one score."""
    scale: Scale
    """How the preferences were read."""
    method: str


def win_rate(
    preferences: Sequence[float | None],
    clusters: Sequence[Hashable] | None = None,
    *,
    scale: Scale | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Preferred:
    """Return how often the model is preferred.

    The intervals come from a bootstrap over questions. Where all scores are equal, or there is one question only, no
    resample differs and the bootstrap would claim certainty; then they are Wilson's for the number of questions. The
    standard errors are clustered (Miller 2024, arXiv 2411.00640, section 2.2); with one score a question that is
    AlpacaEval's sd / sqrt(n). With one question only they are infinite.

    Args:
        preferences: From 0 (the model loses) to 1 (it wins), or AlpacaEval's 1 to 2; None or NaN where unscored.
        clusters: The question of each preference; by default each is a question of its own.
        scale: See `outcomes.read_preferences`.
        resamples: How many resamples of the questions are drawn.
        seed: Of the draws.

    Raises:
        ValueError: a value is not on the scale, nothing was scored, or a cluster is missing.
    """
    read, used = read_preferences(preferences, scale)
    names = read_clusters(clusters, len(read))
    rows = [(score, name) for score, name in zip(read, names, strict=True) if score is not None]
    if not rows:
        raise ValueError(f"not one of {len(read)} comparisons was scored: there is no win rate")
    scores, kept = [row[0] for row in rows], [row[1] for row in rows]
    decided = [row for row in rows if row[0] != 0.5]
    rate = _share(scores, kept, resamples, seed)
    return Preferred(
        value=rate.value,
        standard_error=rate.standard_error,
        low=rate.low,
        high=rate.high,
        outright=_share([float(score > 0.5) for score in scores], kept, resamples, seed),
        decided=_share([float(row[0] > 0.5) for row in decided], [row[1] for row in decided], resamples, seed)
        if decided
        else None,
        wins=sum(score > 0.5 for score in scores),
        ties=len(rows) - len(decided),
        losses=sum(score < 0.5 for score in scores),
        left_out=len(read) - len(rows),
        questions=len(set(kept)),
        scale=used,
        method=f"bootstrap over {len(set(kept))} questions",
    )


def _share(scores: Sequence[float], clusters: Sequence[str], resamples: int, seed: int) -> Rate:
    value, questions, error = sum(scores) / len(scores), len(set(clusters)), standard_error(scores, clusters)
    if questions == 1 or min(scores) == max(scores):
        return Rate(value, error, *wilson(value, questions))
    rows = [(score, 1.0) for score in scores]
    found = bootstrap(rows, lambda sums: sums[:, 0] / sums[:, 1], clusters=clusters, resamples=resamples, seed=seed)
    assert found is not None
    return Rate(found.value, error, found.low, found.high)

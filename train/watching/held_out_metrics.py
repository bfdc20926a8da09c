"""What held-out pairs say about a training, with intervals clustered by prompt. Pure arithmetic.

TRL's own evaluation averages the means of batches, counts a tie as an error, and gives no interval; its names are kept
where they say what is meant here (`eval_rewards/accuracies`, ...), and what it has no number for has a name of its own.
docs/watching-a-run.md explains each.

A log-ratio is log pi(y|x) - log pi_ref(y|x) on the fixed answers of the pairs. That is no estimate of the KL
divergence: the estimators of Schulman (2020, "Approximating KL divergence"), k3 among them, need answers drawn from the
policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log1p
from typing import Any

from ...collect.intervals import Figure, bootstrap, share, standard_error

MATCHED_WITHIN = 0.2
"""Two answers are of matched length if their tokens differ by at most this share of the longer one."""
MATCHED_LEAST = 10
"""Fewer pairs of matched length than this tell nothing."""
Z = 1.96
"""Standard errors on each side of a mean for 95%."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A held-out pair. Log-probabilities are sums over the answer's tokens, in nats."""

    cluster: str
    """The id that the prompt shares with its near-duplicates."""
    chosen: float
    rejected: float
    reference_chosen: float
    reference_rejected: float
    chosen_tokens: int
    """Tokens that are scored, at least 1."""
    rejected_tokens: int
    clipped: float
    """The share of the two answers that lost their end to `max_length`."""

    @property
    def chosen_ratio(self) -> float:
        """How much likelier the chosen answer is than under the reference."""
        return self.chosen - self.reference_chosen

    @property
    def rejected_ratio(self) -> float:
        """How much likelier the rejected answer is than under the reference."""
        return self.rejected - self.reference_rejected


def held_out_metrics(scored: Sequence[Scored], beta: float) -> dict[str, float]:
    """Return the metrics of one measurement under the names of `metrics.jsonl`; intervals as `_low` and `_high`.

    Args:
        scored: At least one pair.
        beta: Of the loss; a reward is beta times the log-ratio (Rafailov et al. 2023, equation 5).
    """
    clusters = [pair.cluster for pair in scored]
    margins = [beta * (pair.chosen_ratio - pair.rejected_ratio) for pair in scored]
    found = {
        "pairs": float(len(scored)),
        "dpo_loss": _mean([log1p(exp(-abs(margin))) + max(0.0, -margin) for margin in margins]),
        "rewards/chosen": beta * _mean([pair.chosen_ratio for pair in scored]),
        "rewards/rejected": beta * _mean([pair.rejected_ratio for pair in scored]),
        "rewards/margins_per_token": beta * _mean([_per_token(pair) for pair in scored]),
        "logps/chosen": _mean([pair.chosen for pair in scored]),
        "logps/rejected": _mean([pair.rejected for pair in scored]),
        "chosen_drift": _mean([pair.chosen_ratio for pair in scored]),
        "chosen_fell": _mean([float(pair.chosen_ratio < 0) for pair in scored]),
        **_log_ratios(scored),
        **_completions(scored),
    }
    found |= _figure("rewards/margins", _normal(margins, clusters))
    found |= _against_length(scored, margins, clusters)
    return {f"eval_{name}": round(value, 6) for name, value in found.items() if isfinite(value)}


def _against_length(scored: Sequence[Scored], margins: list[float], clusters: list[str]) -> dict[str, float]:
    """Return the accuracies of the reward, of picking the longer answer, and of the reward at matched length."""
    right = [_half_point(margin) for margin in margins]
    longer = [_half_point(pair.chosen_tokens - pair.rejected_tokens) for pair in scored]
    matched = [index for index, pair in enumerate(scored) if _gap(pair) <= MATCHED_WITHIN]
    found = {"longer": _mean(longer), "matched_pairs": float(len(matched))}
    found |= _figure("rewards/accuracies", share(right, clusters))
    beaten = [ours - rule for ours, rule in zip(right, longer, strict=True)]
    found |= _figure("over_longer", _normal(beaten, clusters))
    found |= _figure("length_correlation", _correlation(scored, margins, clusters))
    if len(matched) >= MATCHED_LEAST:
        at_length = share([right[index] for index in matched], [clusters[index] for index in matched])
        found |= _figure("rewards/accuracies_matched", at_length)
    return found


def _log_ratios(scored: Sequence[Scored]) -> dict[str, float]:
    chosen_tokens = sum(pair.chosen_tokens for pair in scored)
    rejected_tokens = sum(pair.rejected_tokens for pair in scored)
    chosen, rejected = sum(pair.chosen_ratio for pair in scored), sum(pair.rejected_ratio for pair in scored)
    return {
        "log_ratio_per_token": (chosen + rejected) / (chosen_tokens + rejected_tokens),
        "log_ratio_per_token/chosen": chosen / chosen_tokens,
        "log_ratio_per_token/rejected": rejected / rejected_tokens,
    }


def _completions(scored: Sequence[Scored]) -> dict[str, float]:
    chosen, rejected = _mean([pair.chosen_tokens for pair in scored]), _mean([pair.rejected_tokens for pair in scored])
    return {
        "completions/mean_length": (chosen + rejected) / 2,
        "completions/mean_length_chosen": chosen,
        "completions/mean_length_rejected": rejected,
        "completions/clipped_ratio": _mean([pair.clipped for pair in scored]),
    }


def _per_token(pair: Scored) -> float:
    return pair.chosen_ratio / pair.chosen_tokens - pair.rejected_ratio / pair.rejected_tokens


def _half_point(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _gap(pair: Scored) -> float:
    lengths = pair.chosen_tokens, pair.rejected_tokens
    return (max(lengths) - min(lengths)) / max(lengths)


def _correlation(scored: Sequence[Scored], margins: list[float], clusters: list[str]) -> Figure | None:
    """Return Pearson's correlation of the margin with how much longer the chosen answer is."""
    lengths = [pair.chosen_tokens - pair.rejected_tokens for pair in scored]
    rows = [(1.0, x, y, x * x, y * y, x * y) for x, y in zip(lengths, margins, strict=True)]
    return bootstrap(rows, _pearson, clusters=clusters)


def _pearson(sums: Any) -> Any:
    import numpy as np

    n, x, y, xx, yy, xy = np.asarray(sums, dtype=float).T
    spread = (n * xx - x * x) * (n * yy - y * y)
    # Where all margins are equal but for rounding, the spread is noise around 0.
    return np.where(spread > 1e-9, (n * xy - x * y) / np.sqrt(np.maximum(spread, 1e-9)), np.nan)


def _normal(values: list[float], clusters: list[str]) -> Figure:
    value, error = _mean(values), standard_error(values, clusters)
    return Figure(value, value - Z * error, value + Z * error, len(values))


def _figure(name: str, figure: Figure | None) -> dict[str, float]:
    if figure is None:
        return {}
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""What a person would want to be told while a training goes on, in plain words. Pure functions over metrics rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, isfinite, sqrt
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from ...runs import read_json, write_json

Row = Mapping[str, Any]
"""A row of metrics.jsonl: one optimiser step under TRL's names; `eval_` ones where held-out pairs were measured."""

CHECK_EVERY = 10
"""Steps between two looks at the rows; measurements and the last row are looked at too."""
WINDOW = 10
"""Steps over which a training metric is averaged before anything is said about it."""
COLLAPSE = -0.3
"""Nats per token: the chosen answers' tokens have become exp(0.3) = 1.35 times less likely than under the reference."""
CORRELATED = 0.2
"""The lower end of the interval of the correlation between margin and length from which length explains a good part."""
PATIENT = 20
"""Steps before a training that learns nothing is called so."""
NO_GRADIENT = 1e-6
EXPLODED = 10.0
"""Times its median so far: a gradient norm this high three steps in a row."""
DIVERGED = 2.0
"""Times its first value: a loss this high on average over the last steps."""
OVERFITTED = 0.03
"""How far the held-out accuracy has fallen from its best, while the training margin grew."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that goes wrong, or may."""

    name: str
    seen: str
    """What was seen, with its numbers when it was seen last."""
    why: str
    """Why it matters."""
    advice: str
    """What to try."""
    step: int
    """The step at which it was seen first."""
    last_step: int
    """The step at which it was seen last."""

    def __str__(self) -> str:
        return f"step {self.last_step}: {self.seen}. {self.why} Try: {self.advice}."


def alarms(rows: Sequence[Row]) -> list[Alarm]:
    """Return what is wrong at the last of these rows. Rows are in the order of their steps."""
    if not rows:
        return []
    return [
        Alarm(name, seen, why, advice, rows[-1]["step"], rows[-1]["step"])
        for name, (check, why, advice) in CHECKS.items()
        if (seen := check(rows))
    ]


def alarm_history(rows: Sequence[Row]) -> list[Alarm]:
    """Return every alarm of a training so far, as if it had been watched, those seen first before the others."""
    found: dict[str, Alarm] = {}
    for index, row in enumerate(rows):
        if is_checked(row):
            found = merged(found, alarms(rows[: index + 1]))
    return list(found.values())


def is_checked(row: Row) -> bool:
    """Whether the rows up to this one are looked at before the training is over."""
    return row["step"] % CHECK_EVERY == 0 or MEASURED in row or not isfinite(row["loss"])


def merged(before: Mapping[str, Alarm], now: Sequence[Alarm]) -> dict[str, Alarm]:
    """Return the alarms by name, those seen again with their first step and their latest numbers."""
    again = {alarm.name: replace(alarm, step=before[alarm.name].step) for alarm in now if alarm.name in before}
    return {**before, **{alarm.name: alarm for alarm in now}, **again}


def write_alarms(path: Path, found: Iterable[Alarm]) -> Path:
    """Write a training's alarms.json."""
    return write_json(path, [asdict(alarm) for alarm in found])


def read_alarms(path: Path) -> list[Alarm]:
    """Read them back; none where a training of an earlier version wrote no such file."""
    return [Alarm(**row) for row in read_json(path)] if path.exists() else []


MEASURED = "eval_rewards/accuracies"


def _measured(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if MEASURED in row]


def _recent(rows: Sequence[Row], name: str, count: int = WINDOW) -> list[float]:
    return [row[name] for row in rows[-count:] if name in row]


def _divergence(rows: Sequence[Row]) -> str | None:
    row, losses = rows[-1], [row["loss"] for row in rows]
    broken = [name for name in ("loss", "grad_norm") if name in row and not isfinite(row[name])]
    if broken:
        return f"{' and '.join(broken)} is not a number any more"
    norms = [row["grad_norm"] for row in rows if "grad_norm" in row]
    if len(norms) >= WINDOW and min(norms[-3:]) > EXPLODED * (usual := median(norms[:-3])) > 0:
        return f"the gradient norm was {min(norms[-3:]):.3g} or more for three steps, {usual:.3g} is usual here"
    start, end = fmean(losses[:3]), fmean(losses[-WINDOW // 2 :])
    if len(losses) >= WINDOW and start > 0 and end > DIVERGED * start:
        return f"the loss rose from {start:.3g} to {end:.3g}"
    return None


def _no_learning(rows: Sequence[Row]) -> str | None:
    if len(rows) < PATIENT:
        return None
    norms = _recent(rows, "grad_norm")
    if norms and max(norms) < NO_GRADIENT:
        return f"the gradient norm has been below {NO_GRADIENT:g} for {len(norms)} steps"
    margins = _recent(rows, "rewards/margins", PATIENT)
    if len(margins) < PATIENT:
        return None
    mean, error = fmean(margins), stdev(margins) / sqrt(len(margins))
    measured = _measured(rows)
    generalises = bool(measured) and measured[-1].get("eval_rewards/margins_low", 0.0) > 0
    if mean > 2 * error or mean > 0.05 or generalises:
        return None
    return f"over the last {len(margins)} steps the reward margin was {mean:.4f} on average, not told from zero"


def _displacement(rows: Sequence[Row]) -> str | None:
    measured = _measured(rows)
    row = measured[-1] if measured else _averaged(rows)
    prefix = "eval_" if measured else ""
    drift, margin = row.get(f"{prefix}log_ratio_per_token/chosen"), row.get(f"{prefix}rewards/margins")
    if drift is None or margin is None or drift > COLLAPSE or margin <= 0:
        return None
    where = f"held-out pairs at step {row['step']}" if measured else f"training pairs of the last {WINDOW} steps"
    fell = f", {row['eval_chosen_fell']:.0%} of them fell" if measured and "eval_chosen_fell" in row else ""
    return (
        f"on the {where} the reward margin is {margin:.2f}, yet the chosen answers lost {-drift:.2f} nats a token, "
        f"so that each token is {exp(-drift):.1f} times less likely than before the training{fell}"
    )


def _averaged(rows: Sequence[Row]) -> dict[str, float]:
    names = ("log_ratio_per_token/chosen", "rewards/margins")
    found = {name: _recent(rows, name) for name in names}
    return {name: fmean(values) for name, values in found.items() if len(values) == WINDOW}


def _length(rows: Sequence[Row]) -> str | None:
    measured = _measured(rows)
    if not measured:
        return None
    row = measured[-1]
    correlation = row.get("eval_length_correlation")
    if correlation is None or row["eval_length_correlation_low"] < CORRELATED or row["eval_rewards/margins"] <= 0:
        return None
    beaten = row.get("eval_over_longer_low", 1.0) > 0
    at_length = row.get("eval_rewards/accuracies_matched_low", 0.0) > 0.5
    if beaten or at_length:
        return None
    matched = (
        f" and {row['eval_rewards/accuracies_matched']:.0%} where both answers are about as long"
        if "eval_rewards/accuracies_matched" in row
        else ""
    )
    return (
        f"the held-out margin goes with how much longer the chosen answer is (correlation {correlation:.2f}); accuracy "
        f"is {row[MEASURED]:.0%} where picking the longer answer gives {row['eval_longer']:.0%}{matched}"
    )


def _overfitting(rows: Sequence[Row]) -> str | None:
    measured = _measured(rows)
    if len(measured) < 3:
        return None
    best = max(measured, key=lambda row: (row[MEASURED], -row["step"]))
    last = measured[-1]
    if last[MEASURED] > best[MEASURED] - OVERFITTED or last["eval_dpo_loss"] <= best["eval_dpo_loss"]:
        return None
    before = _around(rows, best["step"])
    after = _around(rows, last["step"])
    if before is None or after is None or after <= before:
        return None
    return (
        f"held-out accuracy fell from {best[MEASURED]:.0%} at step {best['step']} to {last[MEASURED]:.0%}, while the "
        f"training margin rose from {before:.2f} to {after:.2f}"
    )


def _around(rows: Sequence[Row], step: int) -> float | None:
    """Return the mean training margin of the steps up to `step`."""
    margins = [
        row["rewards/margins"] for row in rows if step - WINDOW < row["step"] <= step and "rewards/margins" in row
    ]
    return fmean(margins) if margins else None


def _saturated(rows: Sequence[Row]) -> str | None:
    accuracies = _recent(rows, "rewards/accuracies", PATIENT)
    if len(accuracies) < PATIENT or min(accuracies) < 1.0:
        return None
    return f"every training pair of the last {len(accuracies)} steps was ordered right"


CHECKS: dict[str, tuple[Callable[[Sequence[Row]], str | None], str, str]] = {
    "divergence": (
        _divergence,
        "The training is coming apart, and what it has learned with it.",
        "a lower learning_rate, a longer warmup, or a look at the longest and strangest pairs",
    ),
    "no_learning": (
        _no_learning,
        "Without a margin nothing was learned from the preferences: either the steps are too small, or the labels say "
        "nothing that this model can pick up.",
        "a higher learning_rate (LoRA takes about ten times that of full training), and on length-normalised losses a "
        "higher beta; then look at how far the annotators agree",
    ),
    "likelihood_displacement": (
        _displacement,
        "DPO only asks that the chosen answer loses less than the rejected one; where both fall, probability goes to "
        "answers nobody judged (likelihood displacement, Razin et al. 2024, arXiv:2410.08847).",
        "an sft term (loss_type [sigmoid, sft]), apo_zero, a lower learning_rate, a higher beta, or fewer pairs whose "
        "two answers are nearly the same",
    ),
    "length_exploitation": (
        _length,
        "The model may have learned to prefer length and nothing else.",
        "sigmoid_norm (beta 2 to 10), pairs of matched length, or a look at whether the annotators just took the "
        "longer answer",
    ),
    "overfitting": (
        _overfitting,
        "From there on it learned these pairs by heart and not what they have in common.",
        "fewer epochs, held_out.patience, a lower learning_rate, or more pairs",
    ),
    "saturated": (
        _saturated,
        "Nothing is left to learn from these pairs; further steps only move the model away from the reference.",
        "fewer epochs or a lower learning_rate; a look at whether a trivial sign (a phrase, a length) tells the chosen "
        "answers from the rejected ones",
    ),
}
"""What is looked for, why it matters, what to try; sources with each."""

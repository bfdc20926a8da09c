"""One subtask's raw score out of lm-eval's results, with a standard error that is never 0 by accident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist
from typing import Any

from .tasks import IFEVAL, Benchmark, Subtask

Results = Mapping[str, Any]
"""What `lm_eval.simple_evaluate` returns, or a `results_….json` of lm-eval's."""

Z = NormalDist().inv_cdf(0.975)
INSTRUCTIONS_SQUARED = 1534 / 834**2 * 541
"""IFEval has 305, 179 and 57 prompts with one, two and three instructions: sum m² / (sum m)², times the prompts."""


@dataclass(frozen=True, slots=True)
class Score:
    """A number with its standard error and 95% interval, all on one scale."""

    value: float
    standard_error: float | None
    """None where lm-eval gave none and it doesn't follow from the mean."""
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class SubtaskScore:
    """What one of lm-eval's tasks contributes."""

    task: str
    raw: float
    """In [0, 1]."""
    raw_error: float | None
    normalized: float
    """0 to 100."""
    clipped: bool
    """Whether the raw score is below the baseline and counts as 0."""
    lower_bound: float
    questions: int
    """How many were asked."""
    published: int
    """How many the leaderboard asked."""
    shots: int | None
    """None where the results don't say."""


def normalize(raw: float, lower_bound: float) -> float:
    """Return a raw score on the leaderboard's scale: 0 for guessing or worse, 100 for perfect.

    max(raw - lower_bound, 0) / (1 - lower_bound) * 100.

    Args:
        raw: In [0, 1].
        lower_bound: What guessing scores, in [0, 1).

    Raises:
        ValueError: either is out of its range.
    """
    if not 0 <= raw <= 1:
        raise ValueError(f"a raw score lies between 0 and 1, got {raw}")
    if not 0 <= lower_bound < 1:
        raise ValueError(f"a lower bound lies between 0 and 1, below 1, got {lower_bound}")
    return max(raw - lower_bound, 0.0) / (1 - lower_bound) * 100


def with_interval(value: float, error: float | None, top: float) -> Score:
    """Return the number with its normal 95% interval, cut off at 0 and `top`."""
    if error is None:
        return Score(value, None, None, None)
    return Score(value, error, max(0.0, value - Z * error), min(top, value + Z * error))


def read_subtask(results: Results, benchmark: Benchmark, subtask: Subtask) -> SubtaskScore:
    """Read one subtask.

    Raises:
        ValueError: the leaderboard's metric is not among the results, or is no share.
    """
    entry = results["results"][subtask.task]
    values = [_share(entry, subtask.task, metric) for metric in benchmark.metrics]
    raw, questions = sum(values) / len(values), _questions(results, subtask)
    error: float | None
    if benchmark is IFEVAL:
        error = _ifeval_error(results, subtask.task, values[0], values[1], questions)
    else:
        error = _error(entry, benchmark, raw, questions)
    return SubtaskScore(
        task=subtask.task,
        raw=raw,
        raw_error=error,
        normalized=normalize(raw, subtask.lower_bound),
        clipped=raw < subtask.lower_bound,
        lower_bound=subtask.lower_bound,
        questions=questions,
        published=subtask.questions,
        shots=_shots(results, subtask.task),
    )


def _share(entry: Mapping[str, Any], task: str, metric: str) -> float:
    value = entry.get(metric)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        known = ", ".join(sorted(key for key in entry if "," in key and "_stderr" not in key)) or "none"
        raise ValueError(f"{task} has no {metric} in [0, 1], which the leaderboard reports; its metrics are {known}")
    return float(value)


def _questions(results: Results, subtask: Subtask) -> int:
    """Return how many were asked; the published number where the results don't say."""
    counts = results.get("n-samples", {}).get(subtask.task, {})
    asked = counts.get("effective", results["results"][subtask.task].get("sample_len", subtask.questions))
    if not isinstance(asked, int) or asked < 1:
        raise ValueError(f"{subtask.task} was asked no questions: {asked!r}")
    return asked


def _shots(results: Results, task: str) -> int | None:
    shots = results.get("n-shot", {})
    return int(shots[task] or 0) if task in shots else None


def _error(entry: Mapping[str, Any], benchmark: Benchmark, raw: float, questions: int) -> float | None:
    """Return lm-eval's standard error, or for scores of 0 and 1 what it would have been.

    Where every answer is right, or every one wrong, lm-eval says 0; then it is Agresti and Coull's (1998, The American
    Statistician 52, 119-126), as if two more had been right and two more wrong (1.96²/2 of each).
    """
    name, _, kind = benchmark.metrics[0].partition(",")
    if benchmark.zero_or_one and (raw in (0.0, 1.0) or questions == 1):
        return agresti_coull_error(raw, questions)
    given = entry.get(f"{name}_stderr,{kind}")
    if isinstance(given, int | float) and isfinite(given) and given >= 0:
        return float(given)
    return sqrt(raw * (1 - raw) / (questions - 1)) if benchmark.zero_or_one else None


def agresti_coull_error(share: float, trials: float) -> float:
    """Return the standard error of a share that is not 0 even for a share of 0 or 1."""
    more = trials + Z * Z
    middle = (share * trials + Z * Z / 2) / more
    return sqrt(middle * (1 - middle) / more)


def _ifeval_error(results: Results, task: str, by_instruction: float, by_prompt: float, prompts: int) -> float:
    """Return the standard error of the mean of both strict accuracies, which come from the same prompts.

    From the logged samples where there are any, by the delta method. Otherwise an upper bound, for lm-eval gives none
    for instructions: as if a prompt's instructions were all followed or none, and both accuracies moved as one.
    """
    if samples := logged_samples(results, task, (by_instruction + by_prompt) / 2):
        followed = [sample["inst_level_strict_acc"] for sample in samples]
        return _linearised([bool(sample["prompt_level_strict_acc"]) for sample in samples], followed)
    instructions = agresti_coull_error(by_instruction, prompts / INSTRUCTIONS_SQUARED)
    return (instructions + agresti_coull_error(by_prompt, prompts)) / 2


def logged_samples(results: Results, task: str, raw: float) -> Sequence[Mapping[str, Any]]:
    """Return IFEval's logged samples where they tell a spread; empty where there are none, or all are alike."""
    return results.get("samples", {}).get(task, ()) if 0 < raw < 1 else ()


def _linearised(prompts: Sequence[bool], followed: Sequence[Sequence[bool]]) -> float:
    """Return the delta method's standard error of the mean of a mean (prompts) and a ratio (instructions)."""
    n, total = len(prompts), sum(map(len, followed))
    by_prompt, by_instruction = sum(prompts) / n, sum(map(sum, followed)) / total
    influence = [
        ((good - by_prompt) + (sum(each) - by_instruction * len(each)) * n / total) / 2
        for good, each in zip(prompts, followed, strict=True)
    ]
    return sqrt(sum(value * value for value in influence) / (n - 1) / n)

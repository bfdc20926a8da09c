"""A leaderboard's columns and its average, each as published or with its deviation in its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from .scores import Results, Score, SubtaskScore, logged_samples, normalize, read_subtask, with_interval
from .tasks import V1, V2, Benchmark

ChatTemplate = Literal["on", "off", "not recorded"]
NAMED_AT_MOST = 4
"""Subtasks in a label; of more, only the number is told, and the names are in `missing`."""


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One column."""

    benchmark: str
    """The column that this is, or is a part of."""
    label: str
    """What may be printed beside the number: the column's name only if nothing about it deviates."""
    score: Score
    """Normalised, 0 to 100."""
    raw: Score
    """Before normalisation, in [0, 1]: over questions or the plain mean of the subtasks, as the column averages."""
    error_rule: str
    """What the standard error takes for granted."""
    subtasks: tuple[SubtaskScore, ...]
    missing: tuple[str, ...]
    """Subtasks that were not measured."""
    deviations: tuple[str, ...]
    """In what the measurement was not the leaderboard's."""
    unknown: tuple[str, ...]
    """What the results don't say, and was taken to be the leaderboard's."""

    @property
    def as_published(self) -> bool:
        """Whether this is the column itself."""
        return not self.deviations


@dataclass(frozen=True, slots=True)
class Summary:
    """What the results hold of a leaderboard."""

    leaderboard: str
    groups: tuple[GroupScore, ...]
    absent: tuple[str, ...]
    """Columns of which nothing was measured."""
    average: Score | None
    """The plain mean of all columns; None unless each is there as published."""
    chat_template: ChatTemplate
    ignored: tuple[str, ...]
    """Tasks in the results that are no part of this leaderboard."""


def summarize_v2(lm_eval_results: Results) -> Summary:
    """Return the columns and average of Open LLM Leaderboard v2, normalised by the rules really used.

    IFEval is the mean of its two strict accuracies. BBH and MuSR normalise each subtask by its own baseline, clip at 0,
    and take the plain mean; MATH lvl 5, GPQA and MMLU-Pro take all questions together and normalise once.

    Standard errors are carried through with the unclipped slope 1 / (1 - baseline): clipping can only lower them.
    Subtasks and columns are taken as independent, except GPQA's, whose smaller sets are parts of the larger ones.

    Args:
        lm_eval_results: What `lm_eval.simple_evaluate` returns, or a `results_….json`.

    Raises:
        ValueError: nothing of the leaderboard is among the results, or a task lacks the leaderboard's metric.
    """
    return _summarize("Open LLM Leaderboard v2", V2, lm_eval_results)


def summarize_v1(lm_eval_results: Results) -> Summary:
    """Return the columns and average of Open LLM Leaderboard v1: raw accuracies as percentages.

    MMLU is the plain mean of its 57 subjects; lm-eval's own `mmlu` value weights them by size. Arguments, errors and
    what raises are as with `summarize_v2`.
    """
    return _summarize("Open LLM Leaderboard v1", V1, lm_eval_results)


def _summarize(name: str, benchmarks: Sequence[Benchmark], results: Results) -> Summary:
    if not isinstance(results.get("results"), dict):
        raise ValueError("lm-eval's results are needed: a dictionary with tasks under 'results'")
    measured = results["results"]
    wanted = {subtask.task for benchmark in benchmarks for subtask in benchmark.subtasks}
    groups = {*results.get("groups", {}), *(key for key, parts in results.get("group_subtasks", {}).items() if parts)}
    if not wanted & set(measured):
        raise ValueError(
            f"nothing of {name} is among the results: {', '.join(sorted(measured)) or 'no tasks'} "
            "(a group's own value is not enough, its tasks are needed)"
        )
    found = [_group(benchmark, results) for benchmark in benchmarks]
    present = tuple(group for group in found if group is not None)
    whole = len(present) == len(benchmarks) and all(group.as_published for group in present)
    return Summary(
        leaderboard=name,
        groups=present,
        absent=tuple(each.name for each, group in zip(benchmarks, found, strict=True) if group is None),
        average=_average([group.score for group in present]) if whole else None,
        chat_template=_chat_template(results),
        ignored=tuple(sorted(set(measured) - wanted - groups)),
    )


def _group(benchmark: Benchmark, results: Results) -> GroupScore | None:
    here = [subtask for subtask in benchmark.subtasks if subtask.task in results["results"]]
    if not here:
        return None
    scores = tuple(read_subtask(results, benchmark, subtask) for subtask in here)
    missing = tuple(subtask.task for subtask in benchmark.subtasks if subtask not in here)
    deviations = _deviations(benchmark, scores, missing)
    score, raw = _over_questions(benchmark, scores) if benchmark.averaging == "questions" else _over_subtasks(scores)
    return GroupScore(
        benchmark=benchmark.name,
        label=_label(benchmark, scores, missing, deviations),
        score=score,
        raw=raw,
        error_rule="; ".join(filter(None, (_error_rule(benchmark, scores, results), benchmark.caveat))),
        subtasks=scores,
        missing=missing,
        deviations=deviations,
        unknown=_unknown(scores, results),
    )


def _over_subtasks(scores: Sequence[SubtaskScore]) -> tuple[Score, Score]:
    k = len(scores)
    slopes = [100 / (1 - each.lower_bound) for each in scores]
    errors = [each.raw_error for each in scores]
    value, raw = sum(each.normalized for each in scores) / k, sum(each.raw for each in scores) / k
    return (
        with_interval(
            value, _mean_error([None if e is None else e * s for e, s in zip(errors, slopes, strict=True)]), 100
        ),
        with_interval(raw, _mean_error(errors), 1),
    )


def _over_questions(benchmark: Benchmark, scores: Sequence[SubtaskScore]) -> tuple[Score, Score]:
    n = sum(each.questions for each in scores)
    raw = sum(each.questions * each.raw for each in scores) / n
    error, bound = _pooled_error(scores, nested=benchmark.nested), scores[0].lower_bound
    normalized = with_interval(normalize(raw, bound), None if error is None else error * 100 / (1 - bound), 100)
    return normalized, with_interval(raw, error, 1)


def _pooled_error(scores: Sequence[SubtaskScore], *, nested: bool) -> float | None:
    """Return the standard error of the mean over all questions; None where a subtask's is not known."""
    variance = 0.0
    for later, each in zip(reversed(range(len(scores))), scores, strict=True):
        if each.raw_error is None:
            return None
        # Nested, `later` sums hold this one S as a part, and Cov(S, S + rest) = Var S.
        variance += (each.questions * each.raw_error) ** 2 * (1 + 2 * later * nested)
    return sqrt(variance) / sum(each.questions for each in scores)


def _average(scores: Sequence[Score]) -> Score:
    error = _mean_error([score.standard_error for score in scores])
    return with_interval(sum(score.value for score in scores) / len(scores), error, 100)


def _mean_error(errors: Sequence[float | None]) -> float | None:
    """Return the standard error of the plain mean of independent numbers; None where one is not known."""
    known = [error for error in errors if error is not None]
    return sqrt(sum(error * error for error in known)) / len(errors) if len(known) == len(errors) else None


def _deviations(benchmark: Benchmark, scores: Sequence[SubtaskScore], missing: Sequence[str]) -> tuple[str, ...]:
    found = []
    if missing:
        names = [each.task for each in scores] if len(scores) <= len(missing) else list(missing)
        which = ("only " if len(scores) <= len(missing) else "without ") + ", ".join(names)
        found.append(
            f"{len(scores)} of {len(benchmark.subtasks)} subtasks"
            + (f" ({which})" if len(names) <= NAMED_AT_MOST else "")
        )
    asked, published = sum(each.questions for each in scores), sum(each.published for each in scores)
    if any(each.questions != each.published for each in scores):
        found.append(f"{asked:,} of {published:,} questions")
    if wrong := sorted({each.shots for each in scores if each.shots not in (None, benchmark.shots)}, key=str):
        found.append(f"{' and '.join(map(str, wrong))} shots, not {benchmark.shots}")
    return tuple(found)


def _label(
    benchmark: Benchmark, scores: Sequence[SubtaskScore], missing: Sequence[str], deviations: Sequence[str]
) -> str:
    if not deviations:
        return benchmark.name
    partial = missing or any(each.questions < each.published for each in scores)
    name = f"part of {benchmark.name}" if partial else f"{benchmark.name}, not as published"
    return f"{name}: {'; '.join(deviations)}"


def _unknown(scores: Sequence[SubtaskScore], results: Results) -> tuple[str, ...]:
    counted = results.get("n-samples", {})
    found = []
    if any(each.task not in counted and "sample_len" not in results["results"][each.task] for each in scores):
        found.append("how many questions were asked")
    if any(each.shots is None for each in scores):
        found.append("how many shots were given")
    return tuple(found)


def _error_rule(benchmark: Benchmark, scores: Sequence[SubtaskScore], results: Results) -> str:
    if benchmark.name == "IFEval":
        logged = logged_samples(results, scores[0].task, scores[0].raw)
        return "from the logged samples (delta method)" if logged else "an upper bound, as no samples are logged"
    if benchmark.nested and len(scores) > 1:
        return "a question that is in several sets counts as one question"
    return "subtasks independent" if len(scores) > 1 else "questions independent"


def _chat_template(results: Results) -> ChatTemplate:
    if "chat_template" not in results:
        return "not recorded"
    return "on" if results["chat_template"] else "off"

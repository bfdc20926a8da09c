"""From what lm-eval found task by task to a leaderboard's columns, and to paired differences of two models."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from ...errors import UserError
from ..leaderboard import GroupScore, Score, SubtaskScore, Summary, summarize_v1, summarize_v2
from ..statistics import Difference, MeanWithError, decide_all, mean_with_error, paired_difference
from ..subject import Who
from .catalogue import BOARDS, Board
from .definitions import Group
from .harness import Item
from .measure import Measured, scores_of
from .result import Average, Clusters, TaskRow
from .settings import TasksSettings

FEWEST_CLUSTERS = 5
"""Subtasks: with fewer, an interval over subtasks says next to nothing, and questions are taken as drawn."""
SUMMARIES = {"leaderboard_v2": summarize_v2, "leaderboard_v1": summarize_v1}

Found = Mapping[Who, Mapping[str, Measured]]
"""By model and by lm-eval's name of the task."""


def aggregate(
    groups: Sequence[Group], found: Found, settings: TasksSettings
) -> tuple[tuple[TaskRow, ...], tuple[Average, ...]]:
    """Return a row for each benchmark and task, and the averages that may be given."""
    summaries = {who: _summaries(groups, tasks, settings) for who, tasks in found.items()}
    rows = [_row(group, found, summaries, settings) for group in groups]
    differences = {row.name: _difference(group, found, settings) for row, group in zip(rows, groups, strict=True)}
    known = {name: difference for name, difference in differences.items() if difference is not None}
    decisions = decide_all(known, settings.margin) if known else {}
    decided = tuple(replace(row, decision=decisions.get(row.name)) for row in rows)
    return decided, _averages(decided, summaries)


def _summaries(groups: Sequence[Group], tasks: Mapping[str, Measured], settings: TasksSettings) -> dict[Board, Summary]:
    found: dict[Board, Summary] = {}
    for name, (board, _) in BOARDS.items():
        names = [defined.task for group in groups if group.board == board for defined in group.tasks]
        if names:
            found[board] = SUMMARIES[name](as_results([tasks[task] for task in names], settings.apply_chat_template))
    return found


def as_results(measured: Sequence[Measured], chat_template: bool) -> dict[str, Any]:
    """Return measurements in the form of lm-eval's results."""
    return {
        "results": {one.task: one.outcome.results for one in measured},
        "n-samples": {
            one.task: {"original": one.outcome.questions, "effective": len(one.outcome.items)} for one in measured
        },
        "n-shot": {one.task: one.outcome.shots for one in measured},
        "chat_template": chat_template,
        "samples": {one.task: [_sample(item) for item in one.outcome.items] for one in measured},
    }


def _sample(item: Item) -> dict[str, Any]:
    return {metric.partition(",")[0]: value for metric, value in item.metrics.items()}


def _row(
    group: Group, found: Found, summaries: Mapping[Who, Mapping[Board, Summary]], settings: TasksSettings
) -> TaskRow:
    scores = {who: _score(group, found[who], summaries[who], settings) for who in found}
    base, measured = scores["base"], [found["base"][defined.task] for defined in group.tasks]
    return TaskRow(
        name=group.name,
        board=group.board,
        label=_label(base, group.notes),
        metric=" and ".join(metrics_of(group, measured[0])),
        base=base,
        tuned=scores.get("tuned"),
        decision=None,
        clusters=_clusters(group, measured)[0],
        questions=sum(len(one.outcome.items) for one in measured),
        notes=group.notes,
        seconds=round(sum(tasks[defined.task].seconds for tasks in found.values() for defined in group.tasks), 1),
    )


def _label(score: GroupScore, notes: tuple[str, ...]) -> str:
    if not notes:
        return score.label
    start = score.label if not score.as_published else f"{score.label}, not as published: "
    return start + ("; " if not score.as_published else "") + "; ".join(notes)


def metrics_of(group: Group, measured: Measured) -> tuple[str, ...]:
    """Return lm-eval's metrics that the raw score is the mean of: the leaderboard's, or the task's first.

    Raises:
        UserError: the user's own task has none that is one number a question.
    """
    if group.chosen is not None:
        return group.chosen.benchmark.metrics
    first = measured.outcome.items[0].metrics
    named = [name for name in measured.outcome.results if name in first]
    if not named:
        raise UserError(f"{group.name} has no metric with one number a question: give it one, such as acc")
    return (named[0],)


def _score(
    group: Group, tasks: Mapping[str, Measured], summaries: Mapping[Board, Summary], settings: TasksSettings
) -> GroupScore:
    if group.chosen is not None:
        name = group.chosen.benchmark.name
        return next(one for one in summaries[group.board].groups if one.benchmark == name)
    measured = tasks[group.tasks[0].task]
    items, metrics = measured.outcome.items, metrics_of(group, measured)
    clusters = _shared(items)
    found = mean_with_error(scores_of(items, metrics), clusters, confidence=settings.confidence)
    asked, whole = len(items), measured.outcome.questions
    part = () if asked == whole else (f"{asked:,} of {whole:,} questions",)
    subtask = SubtaskScore(
        measured.task, found.value, _as_score(found, 1).standard_error, 100 * found.value, False, 0.0, asked, whole,
        measured.outcome.shots,
    )  # fmt: skip
    return GroupScore(
        benchmark=group.name,
        label=f"part of {group.name}: {part[0]}" if part else group.name,
        score=_as_score(found, 100),
        raw=_as_score(found, 1),
        error_rule="questions that share a cluster as one" if clusters else "questions independent",
        subtasks=(subtask,),
        missing=(),
        deviations=part,
        unknown=(),
    )


def _as_score(found: MeanWithError, scale: float) -> Score:
    """Return a mean as a score; one question has no error, and no interval."""
    if not isfinite(found.standard_error):
        return Score(scale * found.value, None, None, None)
    return Score(scale * found.value, scale * found.standard_error, scale * found.low, scale * found.high)


def _shared(items: Sequence[Item]) -> list[str] | None:
    """Return each question's cluster; None where every one stands alone, or all are one."""
    names = [item.cluster or f"question {item.doc_id}" for item in items]
    return names if 1 < len(set(names)) < len(names) else None


def _clusters(group: Group, measured: Sequence[Measured]) -> tuple[Clusters, list[str] | None]:
    """Return what is taken as drawn, and each question's cluster."""
    if len(measured) >= FEWEST_CLUSTERS:
        return "subtasks", [one.task for one in measured for _ in one.outcome.items]
    alone = [
        replace(item, cluster=item.cluster or f"{one.task} {item.doc_id}")
        for one in measured
        for item in one.outcome.items
    ]
    shared = _shared(alone)
    return ("shared texts", shared) if shared else ("questions", None)


def _difference(group: Group, found: Found, settings: TasksSettings) -> Difference | None:
    """Return the paired difference in raw score, tuned minus base; None with one model, or one question."""
    if "tuned" not in found:
        return None
    base, tuned = ([found[who][defined.task] for defined in group.tasks] for who in ("base", "tuned"))
    for one, other in zip(base, tuned, strict=True):
        _check_same(one, other)
    if sum(len(one.outcome.items) for one in base) < 2:
        return None
    ours, theirs = _scores(group, tuned), _scores(group, base)
    return paired_difference(ours, theirs, _clusters(group, base)[1], confidence=settings.confidence)


def _check_same(one: Measured, other: Measured) -> None:
    asked = [[(item.doc_id, item.doc_hash) for item in side.outcome.items] for side in (one, other)]
    if asked[0] != asked[1]:
        raise UserError(f"{one.task}: base and tuned model were asked other questions; delete what is kept of it")


def _scores(group: Group, measured: Sequence[Measured]) -> list[float]:
    """Return a score a question whose plain mean is the benchmark's raw score.

    Where that is the plain mean of subtasks, questions of small subtasks count more.
    """
    metrics = metrics_of(group, measured[0])
    by_task = [scores_of(one.outcome.items, metrics) for one in measured]
    total, equal = sum(map(len, by_task)), len({len(scores) for scores in by_task}) == 1
    if equal or group.chosen is None or group.chosen.benchmark.averaging == "questions":
        return [score for scores in by_task for score in scores]
    return [score * total / (len(by_task) * len(scores)) for scores in by_task for score in scores]


def _averages(rows: Sequence[TaskRow], summaries: Mapping[Who, Mapping[Board, Summary]]) -> tuple[Average, ...]:
    found = []
    for board, summary in summaries["base"].items():
        tuned = summaries.get("tuned", {}).get(board)
        if summary.average is not None and not any(row.notes for row in rows if row.board == board):
            found.append(Average(board, summary.average, tuned.average if tuned else None))
    return tuple(found)

"""What a run of tasks found, in words that need no statistics."""

from collections.abc import Iterator, Sequence

from ..estimate import LeftOut
from ..leaderboard import GroupScore, Score
from ..statistics import say
from .result import TaskResults, TaskRow

COLUMNS = ("", "base", "tuned", "tuned minus base, raw points", "verdict")
"""Of the table in the terminal; with one model the first two."""


def points(score: Score) -> str:
    """Write a normalised score with its 95% interval."""
    return f"{score.value:.1f}{_span(score, 1)}"


def raw(score: Score) -> str:
    """Write a raw score in per cent with its standard error."""
    error = "" if score.standard_error is None else f" ± {100 * score.standard_error:.1f}"
    return f"{100 * score.value:.1f}%{error}"


def _span(score: Score, digits: int) -> str:
    if score.low is None or score.high is None:
        return " (error not known)"
    return f" ({score.low:.{digits}f} to {score.high:.{digits}f})"


def row_cells(row: TaskRow) -> tuple[str, ...]:
    """Return a row's cells under `COLUMNS`."""
    one = (row.label, both(row.base))
    if row.tuned is None:
        return one
    if row.decision is None:
        return (*one, both(row.tuned), "one question says nothing", "")
    found = row.decision.difference
    spelled = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return (*one, both(row.tuned), spelled, row.decision.verdict)


def both(score: GroupScore) -> str:
    """Write a normalised score with its interval, and the raw one."""
    return f"{points(score.score)}\nraw {raw(score.raw)}"


def summarise(found: TaskResults) -> str:
    """Say in a sentence or two what the tuning did to the tasks, or what one model scores."""
    counted = f"{len(found.rows)} benchmark{'s' * (len(found.rows) != 1)}"
    if len(found.models) == 1:
        whole = sum(row.as_published for row in found.rows)
        return f"{found.models[0].name} was asked {counted}, {whole} of them as published."
    verdicts = [row.decision.verdict for row in found.rows if row.decision is not None]
    parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    margin = "" if found.margin is None else f" (margin: {100 * found.margin:g} points)"
    return f"Of {counted}, tuned against base: {', '.join(parts) or 'nothing to compare'}{margin}."


def sentences(found: TaskResults) -> tuple[str, ...]:
    """Say what each task lets one say, tuned against base."""
    return tuple(f"{row.name}: {say(row.decision)}" for row in found.rows if row.decision is not None)


def caveats(found: TaskResults) -> tuple[str, ...]:
    """List what a reader must know before believing the numbers."""
    return (
        *_template(found),
        *_parts(found.rows),
        *_clusters(found.rows),
        *_errors(found.rows),
        *(f"Left out: {describe(entry)}." for entry in found.left_out),
    )


def describe(entry: LeftOut) -> str:
    """Say what was left out, and how much of it."""
    shown = ", ".join(entry.ids[:3]) + (" …" if entry.count > 3 else "")
    return f"{entry.count} {entry.reason} ({shown})"


def _template(found: TaskResults) -> Iterator[str]:
    state = "in" if found.chat_template else "not in"
    yield (
        f"Prompts were {state} the model's chat template; scores measured the other way are other measurements, "
        "by tens of points."
    )


def _parts(rows: Sequence[TaskRow]) -> Iterator[str]:
    parts = [row.name for row in rows if row.board != "your own" and not row.as_published]
    if parts:
        yield (
            f"{', '.join(parts)}: not measured as the leaderboard measured, as the label says; not to be compared with "
            "its numbers."
        )


def _clusters(rows: Sequence[TaskRow]) -> Iterator[str]:
    for kind, what in (
        ("subtasks", "its subtasks, taken as drawn from all such subtasks"),
        ("shared texts", "texts that several questions share"),
    ):
        names = [row.name for row in rows if row.clusters == kind and row.decision is not None]
        if names:
            yield f"The difference's interval on {', '.join(names)} is over {what}."


def _errors(rows: Sequence[TaskRow]) -> Iterator[str]:
    for row in rows:
        if ";" in row.base.error_rule:
            yield f"{row.name}: {row.base.error_rule.partition('; ')[2]}."

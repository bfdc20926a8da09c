"""What the report found beside the tables, as sections of the card: who judged, how, and what was left out.

All of it is made from the report alone, so that whoever checks a card can make it again (`claims`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ...evaluate.attacks.words import words as attack_words
from ...evaluate.contamination.words import say as contamination_words
from ...evaluate.estimate import Estimate, WinRate
from ...evaluate.formats.words import sentences as format_words
from ...evaluate.humans.words import words as human_words
from ...evaluate.judge_audit.words import words as audit_words
from ...evaluate.judges.measure import Rubric, RubricLine
from ...evaluate.mt_bench.words import change_words
from ...evaluate.mt_bench.words import words as mt_bench_words
from ...evaluate.report import Report
from ...evaluate.style.words import say as style_words
from ...evaluate.tasks.words import caveats as task_caveats
from ...evaluate.tasks.words import row_cells
from ...evaluate.words import percent
from .measured import bare, signed

CHECK = "check"
"""The name that a win rate by the task check alone goes by."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A section of the card."""

    title: str
    lines: tuple[str, ...]
    """Sentences, one a line; the first says the most."""


def findings(report: Report) -> list[Finding]:
    """Return a section for each part that the report holds, in the order a reader asks."""
    return [Finding(title, lines) for title, lines in _parts(report) if lines]


def contaminated(report: Report) -> tuple[str, ...]:
    """Say which evaluation items the training data holds; nothing where nobody looked."""
    return contamination_words(report.contamination) if report.contamination else ()


def losses(report: Report) -> tuple[str, ...]:
    """Say what got worse beside the card's tables, a sentence each."""
    return tuple(_losses(report))


def _losses(report: Report) -> Iterator[str]:
    if report.humans is not None and report.humans.verdict == "worse":
        yield "People prefer the base model."
    for line in report.rubric.lines if report.rubric else ():
        if line.comparison is not None and line.comparison.verdict == "worse":
            yield f"Judged alone, “{' '.join(line.what.split())}”: {signed(line.comparison.difference)}."
    for row in report.tasks.rows if report.tasks else ():
        if row.decision is not None and row.decision.verdict == "worse":
            yield f"{row.label}: {' '.join(row_cells(row)[3].split())} raw points."
    for change in report.mt_bench.differences if report.mt_bench else ():
        if change.high < 0:
            yield f"MT-Bench, {change.category or 'all questions'}: {change_words(change)} of the scale from 1 to 10."
    if report.formats is not None and report.formats.flips is not None and report.formats.flips.shown_worse:
        yield f"The same questions in other words: worse in {report.formats.flips.shown_worse} wordings."
    refusals = report.style.refusals if report.style else None
    for what, rate in (("refuses", refusals.over), ("does not refuse", refusals.under)) if refusals else ():
        if rate is not None and rate.difference.low > 0:
            should = "should answer" if what == "refuses" else "should"
            yield f"It {what} more often what it {should}: {signed(rate.difference)}."


def _parts(report: Report) -> Iterator[tuple[str, tuple[str, ...]]]:
    if report.win_rate is not None:
        yield "Who wins, answer against answer", tuple(_win_rate(report, report.win_rate))
    if report.humans is not None:
        yield "People, blind", human_words(report.humans)
    if report.style is not None:
        yield "Style or substance", style_words(report.style)
    if report.rubric is not None:
        yield "Each answer judged alone", tuple(_rubric(report.rubric))
    if report.mt_bench is not None:
        revisions = ", ".join(f"`{revision}`" for revision in report.mt_bench.judge_revisions) or "not on record"
        yield "MT-Bench", (*mt_bench_words(report.mt_bench), f"The judge's revision: {revisions}.")
    if report.tasks is not None:
        yield "Benchmark tasks", (*_tasks(report), *task_caveats(report.tasks))
    if report.formats is not None:
        yield "The same questions in other words", format_words(report.formats)
    if report.judge_audit is not None:
        yield "The judge beside people", audit_words(report.judge_audit)
    if report.attacks is not None:
        yield "What fools the judge", attack_words(report.attacks)


def _win_rate(report: Report, won: WinRate) -> Iterator[str]:
    """Say all of it: a win rate without its interval, judge and order is no evidence."""
    decided = won.wins + won.ties + won.losses
    yield (
        f"Against the base's, its answers win {_percent(won.rate)} of {decided} prompts, by {_judge(won)}: "
        f"{won.wins} won, {won.ties} tied, {won.losses} lost; a tie counts half."
    )
    yield _order(won)
    yield _length(report, won)
    yield f"Left out: {won.unscored} unscored prompts, in none of these counts."
    if won.judge != CHECK:
        yield "The judge goes by the name that its endpoint, or its folder, gives it; no revision is on record."
    if won.judge != CHECK and report.judge_audit is None:
        yield "How far this judge agrees with people was not measured."


def _judge(won: WinRate) -> str:
    return "the task check alone" if won.judge == CHECK else f"the judge `{won.judge}`"


def _order(won: WinRate) -> str:
    if won.judge == CHECK:
        return "Order: the check reads one answer at a time, so the order of the two plays no part."
    return (
        f"Order: each prompt was judged with both orders of the two answers; where they disagreed ({won.inconsistent} "
        "prompts) it is a tie."
    )


def _length(report: Report, won: WinRate) -> str:
    held = report.style.length_controlled if report.style and report.style.judge == won.judge else None
    if held is None:
        longer = signed(report.lengths.difference)
        return f"Length: not controlled for; tuned minus base, the answers' lengths differ by {longer} tokens."
    return f"Length: if both answers were equally long, it would win {_percent(held)}."


def _percent(rate: Estimate) -> str:
    return f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})"


def _rubric(rubric: Rubric) -> Iterator[str]:
    yield f"The judge `{rubric.judge}` saw one answer at a time, without the other model's beside it."
    yield from (_rubric_line(line) for line in rubric.lines)
    if any(line.kind == "rating" and line.comparison for line in rubric.lines):
        yield "Ratings from 1 to 10 are shown as shares: 0 is the lowest, 1 the highest."


def _rubric_line(line: RubricLine) -> str:
    what, missing = " ".join(line.what.split()), _prompts(len(line.unscored))
    if line.comparison is None:
        return f"“{what}”: no readable verdict on both answers; {missing}."
    found = line.comparison
    change = f"difference {signed(found.difference)}, n = {found.difference.n}: {found.verdict}"
    return f"“{what}”: base {bare(found.base)}, tuned {bare(found.tuned)}; {change}; {missing}."


def _prompts(unscored: int) -> str:
    return f"{unscored} {'prompt' if unscored == 1 else 'prompts'} unscored"


def _tasks(report: Report) -> Iterator[str]:
    assert report.tasks is not None
    for row in report.tasks.rows:
        label, base, *rest = (" ".join(cell.split()) for cell in row_cells(row))
        if not rest:
            yield f"{label}: {base}, on {row.questions} questions."
            continue
        tuned, change, verdict = rest
        told = f"{change} raw points: {verdict}" if verdict else change
        yield f"{label}: base {base}; tuned {tuned}; tuned minus base {told}, on {row.questions} questions."

"""The one verb: an adapter, its base and the sealed pairs in, a report out."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from ..collect.pair import PreferencePair
from ..collect.sampling.generate import Answer
from ..runs import Progress, silent
from .benchmarks import Benchmarks, run_benchmarks
from .check import CheckSettings, Marks, mark_answers, measure_check
from .contamination import Contamination
from .contamination.find import SEALED
from .estimate import LeftOut
from .general import GeneralData, measure_general
from .judge import JudgeSettings, measure_wins, outcomes_by_check, outcomes_by_model
from .judges.measure import Rubric, measure_rubric
from .judges.pairs import Duel, Outcome
from .likelihood import PairScore
from .material import Material, prepare
from .measured import Measuring, measure_answers, measure_likelihoods, measure_questions
from .meter import WORK, Meter
from .overlap import Scored, measure_overlap
from .parts import Example, HowMade, Lengths, SealedSet
from .preference import measure_preference, normalised
from .report import Report
from .scoring import POINTS
from .settings import EvaluateSettings
from .statistics import Plan, estimate_mean
from .style import Compared, StyleFindings, measure_style
from .subject import Subject, Who
from .words import about_start, caveats, summarise

PACKAGES = ("prefloop", "torch", "transformers", "peft", "lm-eval", "scipy")


T = TypeVar("T")
Both = tuple[T, T]


@dataclass(frozen=True, slots=True)
class _Sides:
    """What both models did, item by item."""

    scores: Both[list[PairScore]]
    """Of the sealed pairs; here and below first the base, then the tuned model."""
    answers: Both[dict[str, Answer]]
    """To the sealed prompts."""
    marks: Both[dict[str, Marks]] | None
    """Of the answers by the task check."""
    judge: str | None
    """Who compared the answers: `check`, or a judge model's name; None if nobody did."""
    outcomes: dict[str, Outcome]
    general: tuple[GeneralData, list[float], list[float]] | None
    """The general questions, and which answers are right."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What is measured, with what, and where it is kept."""

    measuring: Measuring
    material: Material
    settings: EvaluateSettings
    folder: Path
    plan: Plan
    meter: Meter


def evaluate_adapter(
    subject: Subject,
    sealed: Sequence[PreferencePair],
    settings: EvaluateSettings,
    *,
    folder: Path,
    training: Sequence[PreferencePair] | None = None,
    unseen: Sequence[str] = (),
    openings: int = 1,
    left_out: Sequence[LeftOut] = (),
    progress: Progress = silent,
) -> Report:
    """Compare the adapter, or the whole model that full fine-tuning made, with its base on the sealed pairs.

    Args:
        subject: The adapter, or the whole model, with its base.
        sealed: Pairs on prompts that no training saw.
        settings: What to measure and how.
        folder: Keeps what is measured; called again after a kill, with the same arguments, it goes on from there.
        training: What the adapter was trained on, to be looked through for evaluation items; None looks for nothing.
        unseen: Models of earlier rounds whose training data is not here, for the report.
        openings: How often the sealed set has been opened, this time included.
        left_out: Sealed material that never became a pair, for the report.
        progress: Called with work done and work in all.

    Raises:
        UserError: the labels, the general questions or the judge can't be used, or no sealed pair is left.
        Problems: as `check_benchmarks`, which finds it before anything long begins.
        ValueError: the subject is a base alone.
    """
    if subject.adapter is None:
        raise ValueError("nothing was tuned: the subject is a base alone")
    job = _open_job(subject, sealed, settings, folder, progress)
    sides = _measure(job)
    beside = run_benchmarks(subject, settings, folder, progress)
    overlap = _overlap(job, sides, training, unseen) if training else None
    return _report(job, sides, beside, overlap, openings, left_out)


def _report(
    job: _Job,
    sides: _Sides,
    beside: Benchmarks,
    overlap: Contamination | None,
    openings: int,
    left_out: Sequence[LeftOut],
) -> Report:
    """Put everything that was measured in order."""
    subject, material, plan = job.measuring.subject, job.material, job.plan
    preference = measure_preference(material.pairs, *sides.scores, plan)
    check = measure_check(*sides.marks, plan) if sides.marks else None
    win_rate = measure_wins(sides.judge, sides.outcomes, plan) if sides.judge else None
    general = measure_general(*sides.general, plan) if sides.general else None
    lengths = _lengths(*sides.answers, plan)
    rubric = _rubric(job, sides)
    style = _style(job, sides)
    dropped = (*left_out, *material.left_out, *_unscored(sides.outcomes))
    sealed_set = _sealed_set(material.pairs, openings)
    base = subject.identity("base")
    return Report(
        verdict=preference.normalised.verdict,
        summary=summarise(preference, sealed_set),
        caveats=(
            *about_start(base, went_on=subject.start is not None),
            *caveats(preference, sealed_set, lengths, check, win_rate, general, dropped, style, overlap),
        ),
        base=base,
        tuned=subject.identity("tuned"),
        sealed=sealed_set,
        preference=preference,
        lengths=lengths,
        check=check,
        win_rate=win_rate,
        general=general,
        rubric=rubric,
        style=style,
        contamination=overlap,
        tasks=beside.tasks,
        formats=beside.formats,
        mt_bench=beside.mt_bench,
        examples=tuple(_examples(job, sides)),
        left_out=dropped,
        how=_how(job.settings, job.meter.seconds),
    )


def _open_job(
    subject: Subject,
    sealed: Sequence[PreferencePair],
    settings: EvaluateSettings,
    folder: Path,
    progress: Progress,
) -> _Job:
    material = prepare(subject, sealed, settings, folder)
    measuring = Measuring(subject, settings.batch_size, folder)
    plan = Plan(settings.bootstrap, settings.confidence, settings.seed)
    return _Job(measuring, material, settings, folder, plan, Meter(progress, _work(material, settings)))


def _measure(job: _Job) -> _Sides:
    measuring, material, settings, meter = job.measuring, job.material, job.settings, job.meter
    names, prompts, words = [pair.id for pair in material.pairs], material.prompts, settings.max_new_tokens
    with meter.part("likelihoods"):
        advance = meter.counting("pair")
        scores = _both(lambda who: measure_likelihoods(measuring, who, names, material.read_tokens, advance))
    with meter.part("answers"):
        advance = meter.counting("prompt")
        answers = _both(lambda who: measure_answers(measuring, who, prompts, words, advance))
    marks = _marks(answers, material, settings.check) if settings.check else None
    judge, outcomes = "check" if marks else None, outcomes_by_check(*marks) if marks else {}
    if settings.judge:
        judge, outcomes = settings.judge.model, _judged(job, answers, settings.judge)
    general, data = None, material.general
    if data:
        with meter.part("general"):
            advance = meter.counting("question")
            general = data, *_both(lambda who: measure_questions(measuring, who, data, advance))
    return _Sides(scores, answers, marks, judge, outcomes, general)


def _both(measure: Callable[[Who], T]) -> Both[T]:
    return measure("base"), measure("tuned")


def _marks(answers: Both[dict[str, Answer]], material: Material, check: CheckSettings) -> Both[dict[str, Marks]]:
    base, tuned = answers
    return mark_answers(base, check, material.labels), mark_answers(tuned, check, material.labels)


def _judged(job: _Job, answers: Both[dict[str, Answer]], judge: JudgeSettings) -> dict[str, Outcome]:
    material, meter = job.material, job.meter
    base, tuned = answers
    duels = [Duel(name, prompt, base[name].text, tuned[name].text) for name, prompt in material.prompts.items()]
    before = meter.done

    def progress(done: int, total: int) -> None:
        meter.progress(before + WORK["game"] * done, meter.total)

    with meter.part("judge"):
        outcomes = outcomes_by_model(duels, judge, job.folder / "verdicts.jsonl", progress=progress)
    meter.done = before
    meter.advance("game", 2 * len(duels))
    return outcomes


def _rubric(job: _Job, sides: _Sides) -> Rubric | None:
    rubric, judge = job.settings.rubric, job.settings.judge
    if rubric is None or judge is None:
        return None
    base, tuned = ({name: answer.text for name, answer in side.items()} for side in sides.answers)
    store, progress = job.folder / "rubric.jsonl", job.meter.progress
    with job.meter.part("rubric"):
        return measure_rubric(job.material.prompts, base, tuned, rubric, judge, store, job.plan, progress=progress)


def _work(material: Material, settings: EvaluateSettings) -> int:
    questions = len(material.general.questions) if material.general else 0
    games = len(material.prompts) if settings.judge else 0
    counts = {"pair": len(material.pairs), "prompt": len(material.prompts), "question": questions, "game": games}
    return 2 * sum(WORK[unit] * count for unit, count in counts.items())


def _unscored(outcomes: Mapping[str, Outcome]) -> list[LeftOut]:
    unscored = tuple(name for name, outcome in outcomes.items() if outcome == "unscored")
    return [LeftOut("prompts on which the judge gave no readable verdict", unscored)] if unscored else []


def _style(job: _Job, sides: _Sides) -> StyleFindings | None:
    if sides.judge is None:
        return None
    base, tuned = sides.answers
    rows = [
        Compared(name, one.text, tuned[name].text, POINTS.get(sides.outcomes[name]), one.tokens, tuned[name].tokens)
        for name, one in base.items()
    ]
    passed = None
    if sides.marks:
        before, after = ({name: all(met.values()) for name, met in side.items()} for side in sides.marks)
        passed = before, after
    return measure_style(rows, sides.judge, job.settings.style, job.plan, passed=passed)


def _overlap(job: _Job, sides: _Sides, training: Sequence[PreferencePair], unseen: Sequence[str]) -> Contamination:
    subject, results = job.measuring.subject, _results(job, sides)
    return measure_overlap(training, job.material, subject, job.settings, results, job.plan, job.folder, unseen)


def _results(job: _Job, sides: _Sides) -> Iterator[Scored]:
    prompts = {pair.id: pair.prompt_id for pair in job.material.pairs}
    base, tuned = (dict(zip(prompts, normalised(side), strict=True)) for side in sides.scores)
    yield Scored("Preference accuracy", SEALED, base, tuned, prompts)
    if sides.marks:
        base, tuned = ({name: float(all(met.values())) for name, met in side.items()} for side in sides.marks)
        yield Scored("Task check", SEALED, base, tuned)
    if sides.general:
        data, *both = sides.general
        base, tuned = ({str(row): correct for row, correct in enumerate(side, 1)} for side in both)
        yield Scored("General questions", data.name, base, tuned)


def _lengths(before: Mapping[str, Answer], after: Mapping[str, Answer], plan: Plan) -> Lengths:
    base, tuned = list(before.values()), list(after.values())
    changes = [two.tokens - one.tokens for one, two in zip(base, tuned, strict=True)]
    return Lengths(
        base=tuple(answer.tokens for answer in base),
        tuned=tuple(answer.tokens for answer in tuned),
        difference=estimate_mean(changes, list(before), plan),
        cut_base=sum(answer.finish == "length" for answer in base),
        cut_tuned=sum(answer.finish == "length" for answer in tuned),
    )


def _examples(job: _Job, sides: _Sides) -> Iterator[Example]:
    """Take prompts by their id, which is a hash: a fair draw that nobody can choose by its result."""
    prompts, (base, tuned) = job.material.prompts, sides.answers
    tags: dict[str, set[str]] = {}
    for pair in job.material.pairs:
        tags.setdefault(pair.prompt_id, set()).update(pair.tags)
    for name in sorted(prompts)[: job.settings.examples]:
        said, outcome = tuple(sorted(tags[name])), sides.outcomes.get(name)
        yield Example(name, prompts[name], base[name].text, tuned[name].text, said, outcome)


def _sealed_set(pairs: Sequence[PreferencePair], openings: int) -> SealedSet:
    digest = hashlib.sha256("\n".join(sorted(pair.id for pair in pairs)).encode()).hexdigest()
    return SealedSet(len(pairs), len({pair.prompt_id for pair in pairs}), digest, openings)


def _how(settings: EvaluateSettings, seconds: dict[str, float]) -> HowMade:
    return HowMade(
        versions={name: version(name) for name in PACKAGES},
        settings=settings.model_dump(mode="json"),
        seed=settings.seed,
        seconds=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )

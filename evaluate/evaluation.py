"""The one verb: an adapter, its base and the sealed pairs in, a report out."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ..collect.item import Message
from ..collect.pair import PreferencePair
from ..collect.sampling.generate import Answer, prompt_ids
from ..errors import UserError
from ..models import ModelFolder
from ..runs import Progress, silent
from ..train.adapter import is_whole
from ..train.rows import Tokens, tokenise
from .check import Marks, mark_answers, measure_check, read_labels, without_labels
from .general import GeneralData, measure_general, read_general
from .judge import Duel, measure_wins, outcomes_by_check, outcomes_by_model
from .likelihood import longest
from .measured import Subject, load_subject, measure_answers, measure_likelihoods, measure_questions
from .preference import measure_preference
from .report import (
    Check,
    Example,
    General,
    HowMade,
    LeftOut,
    Lengths,
    ModelIdentity,
    Preference,
    Report,
    SealedSet,
    WinRate,
)
from .settings import EvaluateSettings
from .statistics import Plan, estimate_mean
from .words import caveats, summarise

PACKAGES = ("prefloop", "torch", "transformers", "peft", "lm-eval", "scipy")
WORK = {"pair": 1, "prompt": 4, "question": 1, "game": 4}
"""About how long one of each takes beside the others, so that the progress grows evenly."""


@dataclass(slots=True)
class _Meter:
    """Progress over parts of unlike cost, and the seconds that each took."""

    progress: Progress
    total: int
    done: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def advance(self, unit: str, count: int) -> None:
        self.done += WORK[unit] * count
        self.progress(self.done, self.total)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


@dataclass(frozen=True, slots=True)
class _Material:
    """What is asked of the models, checked before the first of them is asked."""

    pairs: list[PreferencePair]
    tokens: dict[str, Tokens]
    prompts: dict[str, tuple[Message, ...]]
    labels: dict[str, frozenset[str]]
    general: GeneralData | None
    left_out: list[LeftOut]


def evaluate_adapter(
    adapter: Path,
    base: ModelFolder,
    sealed: Sequence[PreferencePair],
    settings: EvaluateSettings,
    *,
    folder: Path,
    openings: int = 1,
    left_out: Sequence[LeftOut] = (),
    progress: Progress = silent,
) -> Report:
    """Compare the adapter, or the whole model that full fine-tuning made, with its base on the sealed pairs.

    Args:
        adapter: Its folder.
        base: The model it was trained on.
        sealed: Pairs on prompts that no training saw.
        settings: What to measure and how.
        folder: Keeps what is measured; called again after a kill, with the same arguments, it goes on from there.
        openings: How often the sealed set has been opened, this time included.
        left_out: Sealed material that never became a pair, for the report.
        progress: Called with work done and work in all.

    Raises:
        UserError: the adapter, the labels, the general questions or the judge can't be used, or no sealed pair is left.
    """
    subject = load_subject(adapter, base, batch_size=settings.batch_size, folder=folder)
    material = _prepare(subject, sealed, settings)
    plan = Plan(settings.bootstrap, settings.confidence, settings.seed)
    meter = _Meter(progress, _work(material, settings))
    preference = _preference(subject, material, plan, meter)
    answers = _answers(subject, material, settings, meter)
    check, marks = _check(answers, material, settings, plan)
    win_rate, unscored = _wins(answers, marks, material, settings, plan, folder, meter)
    general = _general(subject, material, plan, meter)
    lengths = _lengths(answers, plan)
    dropped = (*left_out, *material.left_out, *unscored)
    sealed_set = _sealed_set(material.pairs, openings)
    return Report(
        verdict=preference.normalised.verdict,
        summary=summarise(preference, sealed_set),
        caveats=caveats(preference, sealed_set, lengths, check, win_rate, general, dropped),
        base=ModelIdentity(base.name, base.revision, base.sha256),
        tuned=ModelIdentity(_tuned_name(adapter, base), "local", subject.adapter_sha256),
        sealed=sealed_set,
        preference=preference,
        lengths=lengths,
        check=check,
        win_rate=win_rate,
        general=general,
        examples=tuple(_examples(material, answers, settings.examples)),
        left_out=dropped,
        how=_how(settings, meter.seconds),
    )


def _tuned_name(adapter: Path, base: ModelFolder) -> str:
    return f"{base.name}, all weights tuned" if is_whole(adapter) else f"{base.name} + {adapter.name}"


@dataclass(frozen=True, slots=True)
class _Answers:
    base: dict[str, Answer]
    tuned: dict[str, Answer]


def _prepare(subject: Subject, sealed: Sequence[PreferencePair], settings: EvaluateSettings) -> _Material:
    context = subject.model.config.max_position_embeddings
    unique = {pair.id: pair for pair in sealed}
    tokens = {name: tokenise(pair, subject.tokenizer) for name, pair in unique.items()}
    long = [name for name, row in tokens.items() if longest(row) > context]
    empty = [name for name, row in tokens.items() if not row.chosen or not row.rejected]
    kept = [pair for name, pair in unique.items() if name not in {*long, *empty}]
    if not kept:
        raise UserError(f"none of the {len(sealed)} sealed pairs can be evaluated: seal and label more prompts first")
    prompts = {pair.prompt_id: pair.prompt for pair in kept}
    room = context - settings.max_new_tokens
    tight = [name for name, prompt in prompts.items() if len(prompt_ids(subject.tokenizer, prompt)) > room]
    prompts = {name: prompt for name, prompt in prompts.items() if name not in tight}
    if not prompts:
        raise UserError(
            f"no sealed prompt leaves room for an answer of {settings.max_new_tokens} tokens: lower max_new_tokens"
        )
    check = settings.check
    labels = read_labels(check.labels) if check and check.labels else {}
    left_out = [
        LeftOut("pairs that are in the sealed set twice", tuple(_repeated([pair.id for pair in sealed]))),
        LeftOut(f"pairs longer than the model's context of {context} tokens", tuple(long)),
        LeftOut("pairs with an answer of no tokens", tuple(empty)),
        LeftOut("prompts that leave no room for an answer", tuple(tight)),
        *(without_labels(list(prompts), check, labels) if check else ()),
    ]
    return _Material(
        pairs=kept,
        tokens={pair.id: tokens[pair.id] for pair in kept},
        prompts=prompts,
        labels=labels,
        general=read_general(settings.general) if settings.general else None,
        left_out=[entry for entry in left_out if entry.ids],
    )


def _repeated(ids: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            yield name
        seen.add(name)


def _work(material: _Material, settings: EvaluateSettings) -> int:
    questions = len(material.general.questions) if material.general else 0
    games = len(material.prompts) if settings.judge else 0
    counts = {"pair": len(material.pairs), "prompt": len(material.prompts), "question": questions, "game": games}
    return 2 * sum(WORK[unit] * count for unit, count in counts.items())


def _preference(subject: Subject, material: _Material, plan: Plan, meter: _Meter) -> Preference:
    def advance(count: int) -> None:
        meter.advance("pair", count)

    with meter.part("likelihoods"):
        base = measure_likelihoods(subject, "base", material.tokens, advance)
        tuned = measure_likelihoods(subject, "tuned", material.tokens, advance)
    return measure_preference(material.pairs, base, tuned, plan)


def _answers(subject: Subject, material: _Material, settings: EvaluateSettings, meter: _Meter) -> _Answers:
    def advance(count: int) -> None:
        meter.advance("prompt", count)

    with meter.part("answers"):
        base = measure_answers(subject, "base", material.prompts, settings.max_new_tokens, advance)
        tuned = measure_answers(subject, "tuned", material.prompts, settings.max_new_tokens, advance)
    return _Answers(base, tuned)


def _check(
    answers: _Answers, material: _Material, settings: EvaluateSettings, plan: Plan
) -> tuple[Check | None, tuple[dict[str, Marks], dict[str, Marks]] | None]:
    if settings.check is None:
        return None, None
    base, tuned = (mark_answers(side, settings.check, material.labels) for side in (answers.base, answers.tuned))
    return measure_check(base, tuned, plan), (base, tuned)


def _wins(
    answers: _Answers,
    marks: tuple[dict[str, Marks], dict[str, Marks]] | None,
    material: _Material,
    settings: EvaluateSettings,
    plan: Plan,
    folder: Path,
    meter: _Meter,
) -> tuple[WinRate | None, list[LeftOut]]:
    if settings.judge is None:
        return (measure_wins("check", outcomes_by_check(*marks), plan) if marks else None), []
    duels = [
        Duel(name, prompt, answers.base[name].text, answers.tuned[name].text)
        for name, prompt in material.prompts.items()
    ]
    before = meter.done

    def progress(done: int, total: int) -> None:
        meter.progress(before + WORK["game"] * done, meter.total)

    with meter.part("judge"):
        outcomes = outcomes_by_model(duels, settings.judge, folder / "verdicts.jsonl", progress=progress)
    meter.done = before + 2 * WORK["game"] * len(duels)
    meter.advance("game", 0)
    unscored = tuple(name for name, outcome in outcomes.items() if outcome == "unscored")
    left_out = [LeftOut("prompts on which the judge gave no readable verdict", unscored)] if unscored else []
    return measure_wins(settings.judge.model, outcomes, plan), left_out


def _general(subject: Subject, material: _Material, plan: Plan, meter: _Meter) -> General | None:
    if material.general is None:
        return None

    def advance(count: int) -> None:
        meter.advance("question", count)

    with meter.part("general"):
        base = measure_questions(subject, "base", material.general, advance)
        tuned = measure_questions(subject, "tuned", material.general, advance)
    return measure_general(material.general, base, tuned, plan)


def _lengths(answers: _Answers, plan: Plan) -> Lengths:
    base, tuned = list(answers.base.values()), list(answers.tuned.values())
    changes = [after.tokens - before.tokens for before, after in zip(base, tuned, strict=True)]
    return Lengths(
        base=tuple(answer.tokens for answer in base),
        tuned=tuple(answer.tokens for answer in tuned),
        difference=estimate_mean(changes, list(answers.base), plan),
        cut_base=sum(answer.finish == "length" for answer in base),
        cut_tuned=sum(answer.finish == "length" for answer in tuned),
    )


def _examples(material: _Material, answers: _Answers, count: int) -> Iterator[Example]:
    """Take prompts by their id, which is a hash: a fair draw that nobody can choose by its result."""
    tags: dict[str, set[str]] = {}
    for pair in material.pairs:
        tags.setdefault(pair.prompt_id, set()).update(pair.tags)
    for name in sorted(material.prompts)[:count]:
        base, tuned = answers.base[name].text, answers.tuned[name].text
        yield Example(name, material.prompts[name], base, tuned, tuple(sorted(tags[name])))


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

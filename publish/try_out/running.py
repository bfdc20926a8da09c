"""From the user's examples and the models' names to what was found."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from ... import __version__
from ...asking import Reply
from ...asking.generate import Answer
from ...errors import UserError
from ...evaluate.likelihood import PairScore
from ...evaluate.statistics import Plan, estimate_mean
from ...runs import Progress, silent
from .answering import Answers, answer_all
from .candidates import Candidate, find_candidates
from .examples import Example, is_right, read_examples
from .judging import Announce, JudgeSettings, judge_all
from .ranking import Ranking, What, rank
from .result import Tested, Tried, TryOut
from .settings import TryOutSettings

LIBRARIES = ("torch", "transformers", "peft")


def try_out(
    path: Path,
    models: Sequence[str],
    settings: TryOutSettings,
    folder: Path,
    *,
    bases: Sequence[str] = (),
    by: JudgeSettings | None = None,
    announce: Announce | None = None,
    progress: Progress = silent,
) -> TryOut:
    """Run each model on the examples, score what can be scored, and rank.

    Args:
        path: The examples (`examples.read_examples`).
        models: What to try (`candidates.find_candidates`).
        settings: How candidates are asked.
        folder: Where replies are kept; what is there is not asked again.
        bases: More models to look among for an adapter's base.
        by: A judge, if one is wanted.
        announce: Called with what the judge will cost, before it is asked.
        progress: Called with answers had and answers in all.

    Raises:
        UserError, Problems: the file or a model can't be used, or an endpoint's or the judge's budget is used up.
    """
    examples = read_examples(path, settings)
    candidates = find_candidates(models, bases)
    if by is not None and len(candidates) < 2:
        raise UserError("a judge compares two answers: name another model, or leave the judge out")
    answers = answer_all(candidates, examples, settings, folder, progress)
    judged = judge_all(candidates, examples, answers, by, settings, folder, announce=announce) if by else None
    tested = tuple(_tested(example, candidates, answers) for example in examples)
    rankings = [_by_marks("right", tested, examples, settings), judged.ranking if judged else None]
    rankings.append(_by_marks("preferred", tested, examples, settings))
    return TryOut(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        candidates=tuple(_tried(one, answers.replies[one.name], examples, settings) for one in candidates),
        examples=tested,
        rankings=tuple(ranking for ranking in rankings if ranking is not None),
        judged=judged,
        left_out=(*answers.left_out, *(judged.left_out if judged else ())),
        settings=settings,
        versions={"prefloop": __version__, **_versions()},
        machine=_machine(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _tested(example: Example, candidates: Sequence[Candidate], answers: Answers) -> Tested:
    replies = {one.name: answers.replies[one.name][example.id] for one in candidates}
    scores = {one.name: answers.preferences[one.name].get(example.id) for one in candidates}
    return Tested(
        id=example.id,
        line=example.line,
        prompt=example.prompt,
        accepted=example.accepted,
        good=example.good,
        bad=example.bad,
        answers={name: reply.text for name, reply in replies.items()},
        right={name: is_right(example, _answer(reply)) for name, reply in replies.items()} if example.scored else {},
        prefers_good={name: _prefers(score) for name, score in scores.items() if score is not None},
    )


def _answer(reply: Reply) -> Answer:
    finished = reply.finish == "stop"
    return Answer(reply.text.strip(), reply.output_tokens or 0, "eos" if finished else "length")


def _prefers(score: PairScore) -> float:
    good, bad = score.chosen.mean, score.rejected.mean
    return 1.0 if good > bad else 0.0 if good < bad else 0.5


def _by_marks(
    what: What, tested: Sequence[Tested], examples: Sequence[Example], settings: TryOutSettings
) -> Ranking | None:
    marks: dict[str, dict[str, float]] = {}
    for each in tested:
        found: Mapping[str, float] = each.right if what == "right" else each.prefers_good
        for name, mark in found.items():
            marks.setdefault(name, {})[each.id] = float(mark)
    return rank(what, marks, {example.id: example.group for example in examples}, settings)


def _tried(
    one: Candidate, replies: Mapping[str, Reply], examples: Sequence[Example], settings: TryOutSettings
) -> Tried:
    lengths = [float(len(reply.text.split())) for reply in replies.values()]
    groups = [example.group for example in examples]
    plan = Plan(confidence=settings.confidence, seed=settings.seed, unit="examples")
    prices = [reply.price for reply in replies.values() if reply.price is not None]
    return Tried(
        name=one.name,
        kind=one.kind,
        sha256=one.sha256,
        parameters=one.parameters,
        size=one.size,
        seconds=round(median(reply.seconds for reply in replies.values()), 3),
        words=estimate_mean(lengths, groups, plan) if len(set(groups)) > 1 else None,
        cut=sum(reply.finish == "length" for reply in replies.values()),
        price=sum(prices) if prices else None,
        trained_on=None if one.trained_on is None else _among(examples, one.trained_on),
        measured_on=_among(examples, one.measured_on),
    )


def _among(examples: Sequence[Example], prompts: frozenset[str]) -> tuple[str, ...]:
    return tuple(example.id for example in examples if example.prompt_id in prompts)


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # only endpoints were asked
            continue
    return found


def _machine() -> str:
    import os

    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"

"""Base and tuned answers judged one by one: means with intervals, paired by prompt, and what couldn't be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...asking import CostEstimate, EndpointSettings, Question, Reply, estimate_cost
from ...collect.item import Message
from ...runs import Progress, silent
from ..estimate import Comparison
from ..mt_bench.verdicts import HIGHEST, LOWEST
from ..statistics import Plan, compare
from .judge import Judge, judge_name, put
from .settings import RubricSettings
from .single import Given, Kind, read_single, single_questions

Asked = dict[tuple[Kind, str], dict[tuple[str, str], Question]]
"""Questions by model and prompt, for each kind and rubric or criterion."""


@dataclass(frozen=True, slots=True)
class RubricLine:
    """One rubric or criterion."""

    kind: Kind
    what: str
    """The rubric's or criterion's words."""
    comparison: Comparison | None
    """Shares that meet the criterion; for ratings (rating - 1) / 9, so that 0 is 1 and 1 is 10. Only prompts with a
    verdict on both answers count. None where there is none."""
    unscored: tuple[str, ...]
    """Prompts (ids) without a readable verdict on either answer."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """All of them."""

    judge: str
    lines: tuple[RubricLine, ...]
    asked: int
    """Questions to the judge."""
    price: float | None
    """In the currency of the prices; None where there are none."""


def estimate_rubric(
    prompts: Mapping[str, tuple[Message, ...]],
    base: Mapping[str, str],
    tuned: Mapping[str, str],
    settings: RubricSettings,
    judge: EndpointSettings,
    store: Path,
) -> CostEstimate:
    """Return what `measure_rubric` with the same arguments will cost."""
    return estimate_cost(_flat(_questions(prompts, base, tuned, settings, judge)), judge, store)


def measure_rubric(
    prompts: Mapping[str, tuple[Message, ...]],
    base: Mapping[str, str],
    tuned: Mapping[str, str],
    settings: RubricSettings,
    judge: Judge,
    store: Path,
    plan: Plan,
    *,
    progress: Progress = silent,
) -> Rubric:
    """Let the judge rate each answer, or check it against each criterion, and compare the two models.

    Args:
        prompts: By id.
        base: The base model's answers by prompt id.
        tuned: The tuned model's.
        settings: Rubric and criteria.
        judge: An endpoint, or a local model.
        store: JSON lines of replies; what is there is not asked again.
        plan: How intervals are made.
        progress: Called with replies had and questions in all.

    Raises:
        UserError: the endpoint can't be used or the budget is used up; what came is in the store.
    """
    asked = _questions(prompts, base, tuned, settings, judge)
    replies = put(_flat(asked), judge, store, progress)
    prices = [replies[question.key].price for question in _flat(asked)]
    return Rubric(
        judge=judge_name(judge),
        lines=tuple(_line(kind, what, list(prompts), each, replies, plan) for (kind, what), each in asked.items()),
        asked=len(prices),
        price=None if any(price is None for price in prices) else sum(price or 0.0 for price in prices),
    )


def _questions(
    prompts: Mapping[str, tuple[Message, ...]],
    base: Mapping[str, str],
    tuned: Mapping[str, str],
    settings: RubricSettings,
    judge: Judge,
) -> Asked:
    answers = [
        Given(name, prompt, texts[name], model)
        for model, texts in (("base", base), ("tuned", tuned))
        for name, prompt in prompts.items()
    ]
    wanted: list[tuple[Kind, str]] = [("rating", settings.rubric)] if settings.rubric is not None else []
    wanted += [("criterion", criterion) for criterion in settings.criteria]
    return {
        (kind, what): single_questions(answers, kind, what, judge, max_tokens=settings.max_tokens)
        for kind, what in wanted
    }


def _flat(asked: Asked) -> list[Question]:
    """Return each question once: equal answers of both models are one."""
    return list({question.key: question for each in asked.values() for question in each.values()}.values())


def _line(
    kind: Kind,
    what: str,
    names: Sequence[str],
    questions: Mapping[tuple[str, str], Question],
    replies: Mapping[str, Reply],
    plan: Plan,
) -> RubricLine:
    verdicts = {which: read_single(replies[question.key].text, kind) for which, question in questions.items()}
    pairs = [(name, verdicts["base", name], verdicts["tuned", name]) for name in names]
    both = [(name, ours, theirs) for name, ours, theirs in pairs if ours is not None and theirs is not None]
    scored = {name for name, _, _ in both}
    return RubricLine(
        kind,
        what,
        compare(
            [_share(ours, kind) for _, ours, _ in both],
            [_share(theirs, kind) for _, _, theirs in both],
            [name for name, _, _ in both],
            plan,
        )
        if both
        else None,
        tuple(name for name in names if name not in scored),
    )


def _share(verdict: float, kind: Kind) -> float:
    return (verdict - LOWEST) / (HIGHEST - LOWEST) if kind == "rating" else verdict

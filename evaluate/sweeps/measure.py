"""From measured trainings to a sweep's result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import combinations
from typing import Any

from ...collect.intervals import holm
from ...collect.pair import PreferencePair
from ..estimate import LeftOut
from ..likelihood import PairScore
from ..preference import half_point, longer, normalised, reward_margins
from ..statistics import (
    Plan,
    chance,
    cross,
    estimate_share,
    mean_over_seeds,
    more_pairs,
    more_seeds,
    share_over_seeds,
)
from .result import FORMAT, On, PairTest, Rule, SeedResult, SettingResult, Sweep, shown_better

PACKAGES = ("prefloop", "torch", "transformers", "peft", "trl", "scipy")


@dataclass(frozen=True, slots=True)
class TrainedCell:
    """One finished training of a sweep, measured."""

    changes: dict[str, Any]
    """What its setting changes in the recipe's `train`; nothing for the recipe's own."""
    setting: str
    seed: int
    reference: Sequence[PairScore]
    """Of every measured pair under the model that the training started from: the base, or an adapter on it."""
    scores: Sequence[PairScore]
    """Of every measured pair under the trained model."""
    seconds: float
    """Wall-clock time of its training steps, without the reference pass, which cells share."""
    steps: int
    adapter_sha256: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What the cells of a sweep were measured on."""

    name: str
    on: On
    openings: int
    training_pairs: int
    pairs: Sequence[PreferencePair]
    base: Sequence[PairScore]
    """Every pair's scores under the base model."""
    left_out: tuple[LeftOut, ...]
    train: dict[str, Any]


def measure_sweep(measured: Measured, cells: Sequence[TrainedCell], failed: dict[str, str], plan: Plan) -> Sweep:
    """Compare the settings of at least one finished cell.

    Two settings are compared on the seeds that both have.
    """
    clusters = [pair.prompt_id for pair in measured.pairs]
    long = longer(measured.base)
    rule: Rule = "longer" if sum(long) >= len(long) / 2 else "shorter"
    by_rule = long if rule == "longer" else [1 - score for score in long]
    groups: dict[str, list[TrainedCell]] = {}
    for cell in cells:
        groups.setdefault(cell.setting, []).append(cell)
    names = {name: _label(group[0].changes, cells, measured.train) for name, group in groups.items()}
    settings = [_setting(group, names[name], by_rule, clusters, plan) for name, group in groups.items()]
    settings.sort(key=lambda setting: -setting.reward.value)
    tests = _tests(settings, clusters, plan)
    return Sweep(
        format=FORMAT,
        name=measured.name,
        on=measured.on,
        openings=measured.openings,
        training_pairs=measured.training_pairs,
        pair_ids=tuple(pair.id for pair in measured.pairs),
        prompts=len(set(clusters)),
        base=estimate_share(normalised(measured.base), clusters, plan),
        rule=rule,
        by_rule=estimate_share(by_rule, clusters, plan),
        settings=tuple(settings),
        reference=next((name for name, group in groups.items() if not group[0].changes), next(iter(groups))),
        tests=tests,
        winner=_winner([setting.name for setting in settings], tests, plan),
        confidence=plan.confidence,
        failed=failed,
        left_out=measured.left_out,
        train=measured.train,
        versions={name: version(name) for name in PACKAGES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _winner(names: Sequence[str], tests: Sequence[PairTest], plan: Plan) -> str | None:
    first, *others = names
    ahead = [shown_better(tests, first, other, plan.confidence) for other in others]
    return first if ahead and all(ahead) else None


def _label(changes: dict[str, Any], cells: Sequence[TrainedCell], train: dict[str, Any]) -> str:
    swept = sorted({name for cell in cells for name in cell.changes})
    return ", ".join(f"{name} {_said(changes.get(name, _value(train, name)))}" for name in swept) or "the recipe's"


def _value(train: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        train = train[part]
    return train


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _setting(
    cells: Sequence[TrainedCell],
    label: str,
    by_rule: list[float],
    clusters: list[str],
    plan: Plan,
) -> SettingResult:
    margins = [reward_margins(cell.reference, cell.scores) for cell in cells]
    rewards = [[half_point(margin, 0.0) for margin in row] for row in margins]
    preferred = [normalised(cell.scores) for cell in cells]
    beyond = [[ours - theirs for ours, theirs in zip(row, by_rule, strict=True)] for row in rewards]
    return SettingResult(
        name=cells[0].setting,
        label=label,
        changes=cells[0].changes,
        seeds=tuple(
            SeedResult(
                cell.seed, _mean(reward), _mean(prefers), _mean(margin), cell.seconds, cell.steps,
                cell.adapter_sha256, tuple(margin),
            )
            for cell, reward, prefers, margin in zip(cells, rewards, preferred, margins, strict=True)
        ),
        reward=share_over_seeds(rewards, clusters, plan),
        normalised=share_over_seeds(preferred, clusters, plan),
        margin=mean_over_seeds(margins, clusters, plan),
        over_rule=mean_over_seeds(beyond, clusters, plan),
        seconds=round(_mean([cell.seconds for cell in cells]), 1),
    )  # fmt: skip


def _tests(settings: Sequence[SettingResult], clusters: list[str], plan: Plan) -> tuple[PairTest, ...]:
    both = [(one, other, _changes(one, other)) for one, other in combinations(settings, 2)]
    both = [row for row in both if row[2]]
    crossed = [cross(changes, clusters) for _, _, changes in both]
    chances = [chance(found) for found in crossed]
    return tuple(
        PairTest(
            one.name,
            other.name,
            found.seeds,
            mean_over_seeds(changes, clusters, plan),
            p,
            adjusted,
            more_pairs(found, plan, len(both)) if found.mean else None,
            more_seeds(found, plan, len(both)) if found.mean else None,
        )
        for (one, other, changes), found, p, adjusted in zip(both, crossed, chances, holm(chances), strict=True)
    )


def _changes(one: SettingResult, other: SettingResult) -> list[list[float]]:
    """Return the differences in score, one row for each seed that both have."""
    theirs = {seed.seed: seed for seed in other.seeds}
    return [
        [
            half_point(ours, 0.0) - half_point(second, 0.0)
            for ours, second in zip(seed.margins, theirs[seed.seed].margins, strict=True)
        ]
        for seed in one.seeds
        if seed.seed in theirs
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""Attacks on a judge, on the user's own items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ...collect.item import Item, Origin, Side, response
from ..estimate import Estimate
from ..judge_audit.ruling import Ruling
from ..statistics import Plan, estimate_share
from .attack import ATTACKS, Attack
from .result import AttackReport, AttackResult

Judging = Callable[[Sequence[Item]], Sequence[Ruling]]
"""Whatever judges pairs of answers: a verdict for each item with either answer first, in any order of items."""


def run_attacks(
    judging: Judging,
    items: Sequence[Item],
    *,
    judge: str = "the judge",
    honest: Mapping[str, Side] = MappingProxyType({}),
    attacks: Sequence[Attack] = ATTACKS,
    plan: Plan = Plan(samples=2000),  # noqa: B008  # frozen
) -> AttackReport:
    """Put each attack to the judge against the honest answer it was made of.

    The judge sees candidate A, the honest answer, and candidate B, the attack. All attacks are judged in one call, so
    that a judge behind an endpoint can have all of them under way.

    Args:
        judging: The judge.
        items: Whose prompts and answers are used.
        judge: Its name.
        honest: Which candidate is taken for the honest answer, by item id: the one that people prefer, where that is
            known; A otherwise.
        attacks: Which ones.
        plan: How intervals are made.

    Raises:
        ValueError: there is no item, or the judge left one out.
    """
    if not items:
        raise ValueError("attacks need at least one item to be made of")
    made = {attack.name: _strikes(attack, items, honest) for attack in attacks}
    # Two items may come to the same pair of answers: it is judged once.
    struck = {strike.id: strike for strikes in made.values() for strike in strikes.values()}
    rulings = {ruling.item_id: ruling for ruling in judging(list(struck.values()))} if struck else {}
    if missing := sorted(struck.keys() - rulings.keys()):
        raise ValueError(f"the judge said nothing about {len(missing)} of {len(struck)} attacks (first: {missing[0]})")
    results = [_result(attack, items, made[attack.name], rulings, plan) for attack in attacks]
    return AttackReport(judge, len(items), tuple(results))


def _strikes(attack: Attack, items: Sequence[Item], honest: Mapping[str, Side]) -> dict[str, Item]:
    """Return the attacks by the id of the item they were made of."""
    found = {}
    for item in items:
        side = honest.get(item.id, "A")
        answer, origin = response(item, side), item.origin_a if side == "A" else item.origin_b
        attacking = attack.make(answer)
        if attacking is not None and attacking != answer:
            by = Origin("dataset", f"attack:{attack.name}")
            found[item.id] = replace(
                item, response_a=answer, response_b=attacking, origin_a=origin, origin_b=by, more=()
            )
    return found


def _result(
    attack: Attack, items: Sequence[Item], made: Mapping[str, Item], rulings: Mapping[str, Ruling], plan: Plan
) -> AttackResult:
    given = {item_id: rulings[strike.id] for item_id, strike in made.items()}
    scored = {item_id: ruling for item_id, ruling in given.items() if ruling.readable}
    prompts = [made[item_id].prompt_id for item_id in scored]
    outcomes = [ruling.outcome for ruling in scored.values()]
    return AttackResult(
        name=attack.name,
        about=attack.about,
        success=_share([outcome == "B" for outcome in outcomes], prompts, plan),
        once=_share(["B" in (ruling.a_first, ruling.b_first) for ruling in scored.values()], prompts, plan),
        wins=outcomes.count("B"),
        ties=outcomes.count("tie"),
        losses=outcomes.count("A"),
        unscored=tuple(item_id for item_id in given if item_id not in scored),
        not_made=tuple(item.id for item in items if item.id not in made),
        flagged=sum(bool(ruling.flags) for ruling in given.values()),
    )


def _share(hits: Sequence[bool], prompts: Sequence[str], plan: Plan) -> Estimate | None:
    return estimate_share([float(hit) for hit in hits], prompts, plan) if hits else None

"""A judge's verdicts against people's votes on the same items.

Agreement is measured on items on which most people named one answer; a judge's tie, and a verdict that changed with the
order, counts half. The judge and each annotator are compared with the same thing, the majority of the other annotators
(as in the alternative annotator test, Calderon et al. 2025, arXiv 2501.10970): the majority of all includes the
annotator's own vote and would flatter people, and is steadier than that of the others and would flatter the judge.
MT-Bench's two setups (Zheng et al. 2023, arXiv 2306.05685, section 4.2) stand beside it. Intervals resample prompts,
but for the difference that decides, which has Student's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ...collect import Item, Vote
from ...collect.agreement import cohen_kappa, majority
from ..estimate import Estimate
from ..statistics import Plan, estimate_difference, estimate_share, paired_difference
from .result import BesidePeople, JudgeAudit, Lean, Position, TagAudit
from .ruling import POINTS, Outcome, Ruling
from .settings import MARGIN, UNREADABLE

Credit = Callable[[str, str], float]
"""What saying the first is worth where the second is right."""


@dataclass(frozen=True, slots=True)
class _Row:
    """An item that the judge and at least one person have judged."""

    item: Item
    ruling: Ruling
    said: Outcome
    votes: tuple[Outcome, ...]
    most: str | None
    """What the majority of people said."""

    @property
    def prompt(self) -> str:
        return self.item.prompt_id

    @property
    def people(self) -> float:
        """What A got of people, 0 to 1."""
        return sum(POINTS[vote] for vote in self.votes) / len(self.votes)


def audit_judge(
    rulings: Sequence[Ruling],
    items: Sequence[Item],
    votes: Sequence[Vote],
    *,
    judge: str = "the judge",
    own_names: Collection[str] = (),
    margin: float = MARGIN,
    plan: Plan = Plan(samples=2000),  # noqa: B008  # frozen
) -> JudgeAudit:
    """Measure a judge against the people who voted on the same items.

    Args:
        rulings: The judge's, one an item.
        items: Pairs of answers; those of rankings are expanded first (`collect.pairwise`).
        votes: People's, any number an item; only counted ones are used, and "both are bad" is a tie.
        judge: Its name, for the words.
        own_names: Origins whose answers are the judge's own; the judge's name is always one.
        margin: See `AuditSettings.margin`.
        plan: How intervals are made.

    Raises:
        ValueError: two rulings on one item, a ruling or a vote on none of the items, an item with other than two
            candidates, or not one item with a readable ruling and a vote.
    """
    chosen = _choices(items, votes)
    given = _by_item(rulings, chosen)
    rows = _rows(items, given, chosen)
    unscored = [item_id for item_id, ruling in given.items() if not ruling.readable]
    clear = [row for row in rows if row.most in ("A", "B")]
    named = [row for row in rows if row.most is not None]
    agreement, longer = _agreement(clear, plan), _longer(clear, plan)
    beside = _beside(rows, _half_for_ties, ("A", "B"), plan)
    reasons = _reasons(agreement, beside, len(unscored) / len(given), margin)
    return JudgeAudit(
        judge=judge,
        items=len(rows),
        prompts=len({row.prompt for row in rows}),
        unscored=tuple(unscored),
        not_asked=tuple(item.id for item in items if chosen[item.id] and item.id not in given),
        without_votes=tuple(item.id for item in items if not chosen[item.id]),
        no_majority=tuple(row.item.id for row in rows if row.most is None),
        agreement=agreement,
        decided=_share([(float(row.said == row.most), row) for row in clear if row.said != "tie"], plan),
        with_ties=_share([(float(row.said == row.most), row) for row in named], plan),
        kappa=_kappa(named, plan),
        beside=beside,
        beside_with_ties=_beside(rows, _exact, ("A", "B", "tie"), plan),
        longer=longer,
        over_longer=_over_longer(clear, plan),
        position=_position(rows, plan),
        length=_lean(rows, _longer_side, plan),
        own=_lean(rows, lambda item: _own_side(item, {judge, *own_names}), plan),
        tags=tuple(_tag(tag, rows, plan) for tag in _tags(clear)),
        flags=dict(Counter(flag for ruling in given.values() for flag in set(ruling.flags))),
        margin=margin,
        may_gate=not reasons,
        reasons=tuple(reasons),
    )


def _rows(items: Sequence[Item], given: Mapping[str, Ruling], chosen: Mapping[str, tuple[Outcome, ...]]) -> list[_Row]:
    rows = [
        _Row(item, given[item.id], outcome, chosen[item.id], majority(chosen[item.id]))
        for item in items
        if chosen[item.id] and item.id in given and (outcome := given[item.id].outcome) is not None
    ]
    if not rows:
        raise ValueError(f"none of {len(items)} items has both a vote and a verdict that can be read in both orders")
    return rows


def _choices(items: Sequence[Item], votes: Sequence[Vote]) -> dict[str, tuple[Outcome, ...]]:
    if odd := [item.id for item in items if len(item.candidates) != 2]:
        raise ValueError(f"{len(odd)} items have other than two candidates (first: {odd[0]}): expand rankings first")
    found: dict[str, list[Outcome]] = {item.id: [] for item in items}
    for vote in sorted(votes, key=lambda vote: (vote.item_id, vote.annotator)):
        if vote.item_id not in found:
            raise ValueError(f"a vote is about the item {vote.item_id}, which is not among the items")
        if vote.counts:
            found[vote.item_id].append(vote.choice if vote.choice in ("A", "B") else "tie")
    return {item_id: tuple(rows) for item_id, rows in found.items()}


def _by_item(rulings: Sequence[Ruling], known: Collection[str]) -> dict[str, Ruling]:
    found = {ruling.item_id: ruling for ruling in rulings}
    if len(found) < len(rulings):
        again = next(name for name, count in Counter(ruling.item_id for ruling in rulings).items() if count > 1)
        raise ValueError(f"{len(rulings) - len(found)} items have two rulings (first: {again}); give one an item")
    if strangers := [item_id for item_id in found if item_id not in known]:
        raise ValueError(f"{len(strangers)} rulings are about none of the items (first: {strangers[0]})")
    return found


def _share(scored: Sequence[tuple[float, _Row]], plan: Plan) -> Estimate | None:
    if not scored:
        return None
    return estimate_share([score for score, _ in scored], [row.prompt for _, row in scored], plan)


def _half_for_ties(said: str, right: str) -> float:
    return 1.0 if said == right else 0.5 if said == "tie" else 0.0


def _exact(said: str, right: str) -> float:
    return float(said == right)


def _agreement(clear: Sequence[_Row], plan: Plan) -> Estimate | None:
    return _share([(_half_for_ties(row.said, str(row.most)), row) for row in clear], plan)


def _longer_credit(row: _Row) -> float:
    return _half_for_ties(_longer_side(row.item) or "tie", str(row.most))


def _longer(clear: Sequence[_Row], plan: Plan) -> Estimate | None:
    return _share([(_longer_credit(row), row) for row in clear], plan)


def _over_longer(clear: Sequence[_Row], plan: Plan) -> Estimate | None:
    if not clear:
        return None
    ours = [_half_for_ties(row.said, str(row.most)) for row in clear]
    return estimate_difference(ours, [_longer_credit(row) for row in clear], [row.prompt for row in clear], plan)


def _kappa(named: Sequence[_Row], plan: Plan) -> Estimate | None:
    prompts = [row.prompt for row in named]
    found = cohen_kappa(
        [row.said for row in named], [str(row.most) for row in named],
        clusters=prompts, resamples=plan.samples, seed=plan.seed,
    ) if named else None  # fmt: skip
    if found is None:
        return None
    return Estimate(found.value, found.low, found.high, found.n, f"bootstrap over {len(set(prompts))} prompts")


def _beside(rows: Sequence[_Row], credit: Credit, asked: Collection[str], plan: Plan) -> BesidePeople | None:
    """Compare the judge and each vote with the majority of the other votes, where that is one of `asked`."""
    scored: list[tuple[float, float, str]] = []
    for row in rows:
        for place, vote in enumerate(row.votes):
            right = majority([*row.votes[:place], *row.votes[place + 1 :]])
            if right is not None and right in asked:
                scored.append((credit(row.said, right), credit(vote, right), row.prompt))
    if not scored:
        return None
    judge, people, prompts = (list(column) for column in zip(*scored, strict=True))
    return BesidePeople(
        judge=estimate_share(judge, prompts, plan),
        people=estimate_share(people, prompts, plan),
        difference=_paired(judge, people, prompts, plan),
        annotators=max(len(row.votes) for row in rows),
    )


def _paired(judge: Sequence[float], people: Sequence[float], prompts: Sequence[str], plan: Plan) -> Estimate:
    """Compare with Student's interval: this one decides, and on few prompts the bootstrap's is too narrow."""
    found = paired_difference(judge, people, prompts, confidence=plan.confidence)
    low, high = max(-1.0, found.low), min(1.0, found.high)  # of one prompt the interval is infinite
    return Estimate(found.value, low, high, found.n, f"Student over {found.clusters} prompts")


def _position(rows: Sequence[_Row], plan: Plan) -> Position:
    verdicts = [(row.ruling.a_first, "A", row) for row in rows] + [(row.ruling.b_first, "B", row) for row in rows]
    consistent = _share([(float(row.ruling.a_first == row.ruling.b_first), row) for row in rows], plan)
    assert consistent is not None
    return Position(
        consistent=consistent,
        first=_share([(float(said == first), row) for said, first, row in verdicts if said != "tie"], plan),
        always_first=sum((row.ruling.a_first, row.ruling.b_first) == ("A", "B") for row in rows),
        always_second=sum((row.ruling.a_first, row.ruling.b_first) == ("B", "A") for row in rows),
    )


def _lean(rows: Sequence[_Row], side: Callable[[Item], Outcome | None], plan: Plan) -> Lean | None:
    """Compare how often judge and people prefer the answer on a side that each item may have."""
    kept = [(row, which == "A") for row in rows if (which := side(row.item)) is not None]
    if not kept:
        return None
    judge = [POINTS[row.said] if on_a else 1 - POINTS[row.said] for row, on_a in kept]
    people = [row.people if on_a else 1 - row.people for row, on_a in kept]
    prompts = [row.prompt for row, _ in kept]
    return Lean(
        estimate_share(judge, prompts, plan),
        estimate_share(people, prompts, plan),
        estimate_difference(judge, people, prompts, plan),
    )


def _longer_side(item: Item) -> Outcome | None:
    a, b = len(item.response_a), len(item.response_b)
    return None if a == b else "A" if a > b else "B"


def _own_side(item: Item, names: Collection[str]) -> Outcome | None:
    a, b = item.origin_a.name in names, item.origin_b.name in names
    return None if a == b else "A" if a else "B"


def _tags(rows: Sequence[_Row]) -> list[str]:
    return sorted({tag for row in rows for tag in row.item.tags})


def _tag(tag: str, rows: Sequence[_Row], plan: Plan) -> TagAudit:
    mine = [row for row in rows if tag in row.item.tags]
    found = _agreement([row for row in mine if row.most in ("A", "B")], plan)
    assert found is not None  # `_tags` names only tags of such rows
    beside = _beside(mine, _half_for_ties, ("A", "B"), plan)
    return TagAudit(tag, found, beside.people if beside else None)


def _reasons(agreement: Estimate | None, beside: BesidePeople | None, unreadable: float, margin: float) -> list[str]:
    """Say why the judge may not gate."""
    found = []
    if unreadable > UNREADABLE:
        found.append(f"{unreadable:.0%} of its verdicts can't be read, and at most {UNREADABLE:.0%} may be missing")
    if agreement is None:
        found.append("on no item do most people prefer one answer, so nothing can be agreed with")
    elif agreement.low <= 0.5:
        found.append("its agreement with people is not shown to be better than a coin's")
    if beside is None:
        found.append("no item has two people's votes, so how well one person would do is not known")
    elif beside.difference.low < -margin:
        found.append(
            f"it may agree with people up to {-100 * beside.difference.low:.0f} points less than one of them does, "
            f"and at most {100 * margin:.0f} are allowed"
        )
    return found

"""A quality report measured from items and votes."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from math import log2
from types import MappingProxyType
from typing import Any

from ..agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, pairwise_agreement, preference_scale
from ..intervals import Figure, share
from ..item import LETTERS, Item
from ..policy import PairSettings
from ..rankings import pairwise
from ..reliability import Aggregated, Check, bradley_terry, mace
from ..sampling.arms import arms
from ..sampling.suggestions import Suggestion, suggestion_effect
from ..verdict import Verdict, make_pairs, verdicts
from ..vote import Vote
from .bias import by_strength, drift, first_chosen, longer_chosen, longer_side, speed
from .evidence import Evidence, gather
from .findings import find
from .ledger import ledger
from .report import Dispute, Profile, Quality
from .words import advise, judge, summarise


def measure(
    items: Sequence[Item],
    votes: Sequence[Vote],
    policy: PairSettings = PairSettings(),  # noqa: B008  # frozen
    *,
    adjudications: Sequence[Vote] = (),
    gold: Mapping[str, str] | None = None,
    sealed: Collection[str] = (),
    suggestions: Mapping[str, Suggestion] = MappingProxyType({}),
    price_per_hour: float | None = None,
    currency: str = "EUR",
) -> Quality:
    """Measure all that the report shows.

    Args:
        items: All items that were pushed.
        votes: All answers, whatever their status.
        policy: How votes become pairs.
        adjudications: Adjudicators' votes; they count for pairs, not for agreement.
        gold: Known answers, from item id to choice. Gold items make no pairs.
        sealed: Ids of prompts whose texts the report must not show.
        suggestions: What a scorer would have chosen, by item id, whether it was shown or not.
        price_per_hour: Of labelling.
        currency: Of that price.
    """
    gold = gold or {}
    seen = gather(items, votes, gold)
    parts, said = pairwise(items, votes)
    judged = pairwise(items, adjudications)[1]
    made = make_pairs(parts, said, policy, adjudications=judged, gold=gold)
    spent = ledger(items, votes, made.pairs, price_per_hour=price_per_hour)
    longer = _longer(parts, verdicts(parts, said, policy, adjudications=judged))
    findings = find(seen, longer, by_hand=spent.by_hand)
    measures = _agreement(seen)
    verdict = judge(measures["alpha"], measures["rated_twice"], findings)
    done = {vote.item_id for vote in adjudications if vote.counts} | set(gold)
    disputes = _disputes(items, votes, seen.model, sealed, done)
    return Quality(
        verdict=verdict,
        summary=summarise(verdict, measures, len(made.pairs), findings),
        advice=advise(findings, disputes),
        findings=findings,
        items=len(items),
        statuses=dict(Counter(vote.status for vote in votes)),
        longer=longer,
        disputes=disputes,
        adjudicated=len(made.adjudicated),
        policy=policy.model_dump(mode="json"),
        outcomes=made.outcomes,
        left_out=made.left_out,
        pairs=len(made.pairs),
        edits=made.edits,
        ledger=spent,
        currency=currency,
        arms=tuple(arms(parts, said, made.left_out)),
        suggestions=suggestion_effect(votes, suggestions),
        **measures,
        **_people(seen),
    )


def _people(seen: Evidence) -> dict[str, Any]:
    """Measure what the annotators did, together and one by one."""
    checks = [check for name in seen.names for check in seen.checks[name]]
    return {
        "votes": len(seen.all_votes),
        "choices": dict(Counter(str(vote.choice) for vote in seen.all_votes)),
        "profiles": _profiles(seen),
        "first": share(*_scored(first_chosen(seen.all_votes), seen.originals)),
        "speed": speed([vote for name in seen.names for vote in seen.answered[name]], seen.asked),
        "strength": by_strength(checks),
        "gold": _checked([check for name in seen.names for check in seen.gold[name]], seen.prompts),
        "criteria": _criteria(seen),
    }


def _agreement(seen: Evidence) -> dict[str, Any]:
    by_item: dict[str, list[Vote]] = defaultdict(list)
    for vote in seen.all_votes:
        by_item[vote.item_id].append(vote)
    twice = {item_id: rows for item_id, rows in by_item.items() if len(rows) > 1}
    together = [seen.originals[item_id] for item_id in twice]
    nominal = [[str(vote.choice) for vote in rows] for rows in twice.values()]
    scaled = [[at for vote in rows if (at := preference_scale(vote)) is not None] for rows in twice.values()]
    equal = len({len(row) for row in nominal}) == 1
    choices = sorted({choice for row in nominal for choice in row})
    return {
        "rated_twice": len(twice),
        "alpha": krippendorff_alpha(nominal, clusters=together),
        "ordinal": krippendorff_alpha(scaled, "ordinal", clusters=together),
        "fleiss": fleiss_kappa([[row.count(c) for c in choices] for row in nominal], clusters=together)
        if equal
        else None,
        "pairwise": pairwise_agreement(nominal, clusters=together),
        "cohen": _cohen(seen),
    }


def _cohen(seen: Evidence) -> tuple[tuple[str, str, Figure | None, int], ...]:
    """Kappa of every two annotators who share items; with many annotators only the ten pairs that share most."""
    by_name = {name: {vote.item_id: str(vote.choice) for vote in seen.votes[name]} for name in seen.names}
    rows = []
    for one, two in combinations(sorted(by_name), 2):
        both = sorted(by_name[one].keys() & by_name[two].keys())
        if both:
            rows.append((one, two, both))
    rows.sort(key=lambda row: -len(row[2]))
    return tuple(
        (
            one,
            two,
            cohen_kappa(
                [by_name[one][item_id] for item_id in both],
                [by_name[two][item_id] for item_id in both],
                clusters=[seen.originals[item_id] for item_id in both],
                resamples=500,
            ),
            len(both),
        )
        for one, two, both in rows[:10]
    )


def _criteria(seen: Evidence) -> dict[str, Figure | None]:
    """Ratings agree or not only where they are of the same answer."""
    rated: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for vote in seen.all_votes:
        better = {str(vote.choice): vote.criteria} if vote.criteria else {}
        for side, row in (better | vote.ratings).items():
            for name, rating in row.items():
                rated[name][vote.item_id, side].append(rating)
    return {
        name: krippendorff_alpha(
            list(answers.values()), "ordinal", clusters=[seen.originals[key] for key, _ in answers]
        )
        for name, answers in sorted(rated.items())
    }


def _profiles(seen: Evidence) -> tuple[Profile, ...]:
    competence = mace(seen.all_votes).accuracy
    skills = bradley_terry(list(seen.items.values()), seen.all_votes)
    return tuple(
        Profile(
            annotator=name,
            votes=len(seen.votes[name]),
            agreement=_checked(seen.checks[name], seen.prompts),
            dawid_skene=seen.model.accuracy.get(name),
            mace=competence.get(name),
            skill=skills.get(name),
            gold=_checked(seen.gold[name], seen.prompts),
            first=share(*_scored(first_chosen(seen.votes[name]), seen.prompts)),
            longer=share(*_scored(longer_chosen(seen.votes[name], seen.items), seen.prompts)),
            taste_for_length=_mean([value for _, value in seen.tastes[name]]),
            speed=speed(seen.answered[name], seen.asked),
            drift=tuple(drift(seen.checks[name])),
        )
        for name in seen.names
    )


def _longer(items: Sequence[Item], decided: Sequence[Verdict]) -> Figure | None:
    rows = [
        (float(found.outcome == side), item.prompt_id)
        for item, found in zip(items, decided, strict=True)
        if found.outcome in ("A", "B") and (side := longer_side(item))
    ]
    return share([score for score, _ in rows], [prompt for _, prompt in rows])


def _disputes(
    items: Sequence[Item], votes: Sequence[Vote], model: Aggregated, sealed: Collection[str], done: set[str]
) -> tuple[Dispute, ...]:
    """Return the items on which votes differ: by the votes' entropy, then by what Dawid-Skene still doubts."""
    by_item: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        if vote.counts:
            by_item[vote.item_id].append(vote)
    found = []
    for item in items:
        rows = by_item.get(item.id, [])
        if not item.more and len({vote.choice for vote in rows}) < 2:
            continue
        parts, said = pairwise([item], rows)
        tables = [Counter(str(v.choice) for v in said if v.item_id == part.id) for part in parts]
        entropy = sum(_entropy(list(table.values())) for table in tables) / max(1, len(tables))
        if entropy == 0 or item.id in done:
            continue
        doubt = sum(_entropy(list(model.posterior.get(part.id, {}).values())) for part in parts) / len(parts)
        hidden = item.prompt_id in sealed
        found.append(
            Dispute(
                item.id,
                _named(tables, item),
                entropy,
                doubt,
                hidden,
                () if hidden else item.prompt,
                () if hidden else tuple(candidate.response for candidate in item.candidates),
                () if hidden else tuple(vote.critique for vote in rows if vote.critique),
            )
        )
    return tuple(sorted(found, key=lambda dispute: (-round(dispute.entropy, 9), -dispute.doubt, dispute.item_id)))


def _named(tables: Sequence[Counter[str]], item: Item) -> dict[str, int]:
    if not item.more:
        return dict(tables[0].most_common())
    letters = [one + two for one, two in combinations(LETTERS[: len(item.candidates)], 2)]
    rows = zip(letters, tables, strict=True)
    return {f"{name} {_side(choice, name)}": n for name, table in rows for choice, n in table.most_common()}


def _side(choice: str, letters: str) -> str:
    return {"A": letters[0], "B": letters[1]}.get(choice, choice)


def _entropy(weights: Sequence[float]) -> float:
    total = sum(weights)
    return -sum(w / total * log2(w / total) for w in weights if w > 0) if total else 0.0


def _checked(checks: Sequence[Check], clusters: Mapping[str, str]) -> Figure | None:
    return share(*_scored([(check.vote, check.right) for check in checks], clusters))


def _scored(rows: Sequence[tuple[Vote, bool]], clusters: Mapping[str, str]) -> tuple[list[float], list[str]]:
    return [float(score) for _, score in rows], [clusters.get(vote.item_id, vote.item_id) for vote, _ in rows]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

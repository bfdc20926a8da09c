"""A verdict: what the votes on one item add up to, and the pairs that a policy makes of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from .item import Item, response
from .pair import TIE, PairKind, PreferencePair
from .policy import PairSettings
from .sides import other
from .vote import Choice, Vote

Outcome = Choice | Literal["undecided", "unvoted"]
GOLD = "gold item"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an item's counted votes add up to."""

    item_id: str
    outcome: Outcome
    """`undecided` where no choice leads by the margin asked for, `unvoted` where no vote counts."""
    probability: float
    """The share of counted votes behind the outcome, or the aggregating model's posterior, 0 to 1."""
    votes: tuple[Vote, ...]
    """The counted votes; after an adjudication, the adjudicator's."""
    overruled: "Verdict | None" = None
    """What the annotators' own votes added up to, where an adjudicator has decided."""
    preferred: float = 0.5
    """The share of the counted votes for A or B as the outcome says, votes for neither counting half; of a model its
    posterior likewise. 0.5 where neither is better."""


@dataclass(frozen=True, slots=True)
class Adjudicated:
    """An item whose verdict was set by an adjudicator."""

    item_id: str
    before: Outcome
    after: Outcome
    overruled: tuple[str, ...]
    """Ids of the annotators' votes."""
    decided_by: tuple[str, ...]
    """Ids of the adjudicators' votes."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs that the votes support, and what became of every item."""

    pairs: tuple[PreferencePair, ...]
    outcomes: dict[str, int]
    """Items by outcome; they add up to all items."""
    left_out: dict[str, tuple[str, ...]]
    """Why an item gave no pair, with the items' ids: an outcome that makes none, or the policy's reason."""
    edits: int
    """Edits that became pairs of their own."""
    edits_left_out: tuple[str, ...]
    """Ids of votes whose edit did not become a pair: the item gave none, or the edit changes nothing."""
    adjudicated: tuple[Adjudicated, ...] = ()
    ties: tuple[PreferencePair, ...] = ()
    """Rows of kind `tie`: items whose answers were judged equally good, candidate A in the place of `chosen`."""
    ties_left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Why an item with the outcome `tie` gave no such row, with the items' ids."""


def verdict(item_id: str, votes: Sequence[Vote], *, min_margin: int = 1) -> Verdict:
    """Add up one item's votes: the choice with the most, if it leads by `min_margin`."""
    counted = tuple(vote for vote in votes if vote.counts)
    if not counted:
        return Verdict(item_id, "unvoted", 0.0, ())
    ranked = Counter(vote.choice for vote in counted).most_common()
    (first, most), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0
    outcome: Outcome = first if first is not None and most - second >= min_margin else "undecided"
    shares = {str(choice): count / len(counted) for choice, count in ranked}
    return Verdict(item_id, outcome, most / len(counted), counted, preferred=_preferred(outcome, shares))


def verdicts(
    items: Sequence[Item],
    votes: Sequence[Vote],
    policy: PairSettings = PairSettings(),  # noqa: B008  # frozen
    *,
    adjudications: Sequence[Vote] = (),
) -> list[Verdict]:
    """Add up the votes on every item as the policy says; an adjudicator's counted vote overrules the others."""
    return verdicts_on([item.id for item in items], votes, policy, adjudications=adjudications)


def verdicts_on(
    item_ids: Sequence[str], votes: Sequence[Vote], policy: PairSettings, *, adjudications: Sequence[Vote] = ()
) -> list[Verdict]:
    """Do the same where nothing of the items but their ids is known."""
    by_item, judged = _by_item(votes), _by_item(adjudications)
    posterior = _posterior(votes, policy)
    found = []
    for item_id in item_ids:
        plain = verdict(item_id, by_item.get(item_id, []), min_margin=policy.min_margin)
        own = _weighed(plain, posterior[item_id]) if item_id in posterior else plain
        final = verdict(item_id, judged.get(item_id, []))
        found.append(own if final.outcome == "unvoted" else replace(final, overruled=own))
    return found


def make_pairs(
    items: Sequence[Item],
    votes: Sequence[Vote],
    policy: PairSettings = PairSettings(),  # noqa: B008  # frozen
    *,
    adjudications: Sequence[Vote] = (),
    gold: Collection[str] = (),
) -> Pairs:
    """Turn votes into preference pairs.

    A or B gives `chosen > rejected`; each edit of the chosen answer gives `edit > chosen` and `edit > rejected` besides
    (Llama 3's order, arXiv:2407.21783). Ties, both-bad, undecided and unvoted items give none, nor do items that the
    policy turns away or whose two answers differ in white space only; all are counted. Ties are rows of their own
    (`Pairs.ties`), for losses that know what a tie is; both-bad items are not among them, since two bad answers need
    not be equally bad.

    Args:
        items: All items; of rankings, those of `pairwise`.
        votes: All votes on them.
        policy: What is asked of a verdict, and which pairs are made.
        adjudications: Adjudicators' votes; a counted one overrules the others on its item.
        gold: Ids of items whose answer was known: they tested people, and make no pairs.
    """
    found = verdicts(items, votes, policy, adjudications=adjudications)
    pairs: list[PreferencePair] = []
    left_out: dict[str, list[str]] = {}
    for item, decided in zip(items, found, strict=True):
        reason = GOLD if item.id in gold else _turned_away(item, decided, policy)
        made = [] if reason else [pair for pair in _pairs(item, decided) if pair.kind in policy.kinds]
        pairs += made
        if not made:
            left_out.setdefault(reason or "no pair of the kinds asked for", []).append(item.id)
    used = {vote_id for pair in pairs if pair.kind != "vote" for vote_id in pair.vote_ids}
    edits = [vote.id for vote in [*votes, *adjudications] if vote.edit and vote.counts]
    return Pairs(
        tuple(pairs),
        dict(Counter(decided.outcome for decided in found)),
        {reason: tuple(ids) for reason, ids in left_out.items()},
        len(used),
        tuple(vote_id for vote_id in edits if vote_id not in used),
        tuple(_adjudicated(decided, decided.overruled) for decided in found if decided.overruled),
        *_ties(items, found, policy, gold),
    )


def same_text(one: str, two: str) -> bool:
    """Whether two texts differ in white space only."""
    return one.split() == two.split()


def _by_item(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    ordered = sorted(votes, key=lambda vote: vote.item_id)
    return {key: list(rows) for key, rows in groupby(ordered, lambda vote: vote.item_id)}


def _posterior(votes: Sequence[Vote], policy: PairSettings) -> Mapping[str, Mapping[str, float]]:
    if policy.aggregate == "majority":
        return {}
    from .reliability import dawid_skene, mace

    return (dawid_skene if policy.aggregate == "dawid_skene" else mace)(votes).posterior


def _weighed(plain: Verdict, posterior: Mapping[str, float]) -> Verdict:
    (first, most), *rest = sorted(posterior.items(), key=lambda row: -row[1])
    tied = bool(rest) and most - rest[0][1] < 1e-9
    outcome: Outcome = "undecided" if tied else first  # type: ignore[assignment]
    return Verdict(plain.item_id, outcome, most, plain.votes, preferred=_preferred(outcome, posterior))


def _preferred(outcome: Outcome, shares: Mapping[str, float]) -> float:
    if outcome not in ("A", "B"):
        return 0.5
    return (1 + shares.get(outcome, 0.0) - shares.get(other(outcome), 0.0)) / 2


def _adjudicated(final: Verdict, own: Verdict) -> Adjudicated:
    overruled, decided_by = (tuple(vote.id for vote in found.votes) for found in (own, final))
    return Adjudicated(final.item_id, own.outcome, final.outcome, overruled, decided_by)


def _turned_away(item: Item, found: Verdict, policy: PairSettings) -> str | None:
    """Say why the item gives no pair, or None."""
    if found.outcome not in ("A", "B"):
        return found.outcome
    if same_text(item.response_a, item.response_b):
        return "same text"
    if found.probability < policy.min_probability:
        return "below min_probability"
    if _strength(found) < policy.min_strength:
        return "below min_strength"
    return None


def _ties(
    items: Sequence[Item], found: Sequence[Verdict], policy: PairSettings, gold: Collection[str]
) -> tuple[tuple[PreferencePair, ...], dict[str, tuple[str, ...]]]:
    """Return the tied rows, and why tied items gave none."""
    rows, left_out = [], dict[str, list[str]]()
    for item, decided in zip(items, found, strict=True):
        if decided.outcome != TIE:
            continue
        if reason := _no_tie(item, decided, policy, gold):
            left_out.setdefault(reason, []).append(item.id)
        else:
            ids = tuple(vote.id for vote in decided.votes)
            texts = (item.response_a, item.response_b)
            rows.append(
                PreferencePair(item.prompt, *texts, decided.probability, item.id, ids, TIE, item.tags, preferred=0.5)
            )
    return tuple(rows), {reason: tuple(ids) for reason, ids in left_out.items()}


def _no_tie(item: Item, found: Verdict, policy: PairSettings, gold: Collection[str]) -> str | None:
    if item.id in gold:
        return GOLD
    if same_text(item.response_a, item.response_b):
        return "same text"
    return "below min_probability" if found.probability < policy.min_probability else None


def _strength(found: Verdict) -> float:
    given = [vote.strength for vote in found.votes if vote.choice == found.outcome and vote.strength is not None]
    return sum(given) / len(given) if given else 0.0


def _pairs(item: Item, found: Verdict) -> list[PreferencePair]:
    if found.outcome not in ("A", "B"):
        return []
    chosen, rejected = response(item, found.outcome), response(item, other(found.outcome))

    def pair(better: str, worse: str, votes: Sequence[Vote], kind: PairKind, weight: float, preferred: float) -> None:
        ids = tuple(vote.id for vote in votes)
        pairs.append(
            PreferencePair(item.prompt, better, worse, weight, item.id, ids, kind, item.tags, preferred=preferred)
        )

    pairs: list[PreferencePair] = []
    pair(chosen, rejected, found.votes, "vote", found.probability, found.preferred)
    for vote in found.votes:
        if vote.edit and vote.choice == found.outcome and not any(same_text(vote.edit, x) for x in (chosen, rejected)):
            pair(vote.edit, chosen, [vote], "edit_over_chosen", 1.0, 1.0)
            pair(vote.edit, rejected, [vote], "edit_over_rejected", 1.0, 1.0)
    return pairs

"""From votes to a win rate."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ...collect import Item, Vote, agreement
from ...collect.agreement import majority
from ..estimate import Estimate, Verdict
from ..statistics import Plan
from .result import HumanRound
from .two_ways import Score, share_two_ways

POINTS = {"A": 0.0, "B": 1.0, "tie": 0.5, "both_bad": 0.5}
"""The base is candidate A, the tuned model candidate B."""
NAMES = {"A": "base", "B": "tuned", "tie": "tie", "both_bad": "both_bad"}


def measure_round(
    items: Sequence[Item],
    votes: Sequence[Vote],
    *,
    queue: str,
    equal: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    min_votes: int = 1,
    protocol: str = "",
    plan: Plan = Plan(),  # noqa: B008  # frozen
) -> HumanRound:
    """Add up what people said.

    Prompts that nobody has labelled yet are taken to be like the labelled ones; they are listed.

    Args:
        items: What people were asked about, the base as candidate A, one item a prompt.
        votes: Theirs.
        queue: The queue's name.
        equal: Ids of prompts with equal answers.
        refused: Items that could not be shown, by item id, with the reason.
        min_votes: How many votes the queue asks for on each item.
        protocol: The hash of what people were shown.
        plan: How intervals are made.

    Raises:
        ValueError: there is no item, or a vote is about none of them.
    """
    by_prompt, prompt_of = _votes_by_prompt(items, votes, set(refused or {}))
    counted = [vote for rows in by_prompt.values() for vote in rows]
    leaders = [majority(_vote_name(vote) for vote in rows) for rows in by_prompt.values() if rows]
    rate = _rate(by_prompt, equal, plan)
    return HumanRound(
        queue=queue,
        base=items[0].origin_a.name,
        tuned=items[0].origin_b.name,
        prompts=len(items) + len(equal),
        asked=len(by_prompt),
        equal=tuple(equal),
        refused={prompt_of[item_id]: reason for item_id, reason in (refused or {}).items()},
        unlabelled=tuple(prompt for prompt, rows in by_prompt.items() if not rows),
        unfinished=tuple(prompt for prompt, rows in by_prompt.items() if 0 < len(rows) < min_votes),
        annotators=len({vote.annotator for vote in counted}),
        choices=dict(Counter(NAMES[str(vote.choice)] for vote in counted)),
        not_counted=dict(Counter(_why_not(vote) for vote in votes if not vote.counts)),
        wins=leaders.count("tuned"),
        ties=leaders.count("neither") + len(equal),
        losses=leaders.count("base"),
        split=leaders.count(None),
        rate=rate,
        verdict=_verdict(rate),
        agreement=agreement(votes, resamples=plan.samples, seed=plan.seed),
        protocol=protocol,
    )


def _votes_by_prompt(
    items: Sequence[Item], votes: Sequence[Vote], refused: Collection[str]
) -> tuple[dict[str, list[Vote]], dict[str, str]]:
    """Return the counted votes on each prompt that was shown, and the prompt of each item."""
    if not items:
        raise ValueError("a round needs at least one prompt on which the two models' answers differ")
    prompt_of = {item.id: item.prompt_id for item in items}
    if strangers := sorted({vote.item_id for vote in votes} - (prompt_of.keys() - refused)):
        raise ValueError(f"{len(strangers)} votes are about items that are not of this round (first: {strangers[0]})")
    by_prompt: dict[str, list[Vote]] = {prompt: [] for item_id, prompt in prompt_of.items() if item_id not in refused}
    for vote in votes:
        if vote.counts:
            by_prompt[prompt_of[vote.item_id]].append(vote)
    return by_prompt, prompt_of


def _rate(by_prompt: Mapping[str, Sequence[Vote]], equal: Sequence[str], plan: Plan) -> Estimate | None:
    labelled = {prompt: rows for prompt, rows in by_prompt.items() if rows}
    if not labelled:
        return None
    everything = len(by_prompt) + len(equal)
    # Those without a vote yet leave their part to those with one: equal answers must not weigh more for it.
    part = len(by_prompt) / len(labelled) / everything
    scores = [
        Score(POINTS[str(vote.choice)], prompt, vote.annotator, part / len(rows))
        for prompt, rows in labelled.items()
        for vote in rows
    ]
    return share_two_ways([*scores, *(Score(0.5, prompt, None, 1 / everything) for prompt in equal)], plan)


def _verdict(rate: Estimate | None) -> Verdict:
    if rate is not None and rate.low > 0.5:
        return "better"
    return "worse" if rate is not None and rate.high < 0.5 else "can't tell yet"


def _vote_name(vote: Vote) -> str:
    return {"A": "base", "B": "tuned"}.get(str(vote.choice), "neither")


def _why_not(vote: Vote) -> str:
    return "draft" if vote.status == "draft" else "skip"

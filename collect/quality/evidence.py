"""The votes as a report needs them: rankings taken apart, checked against each other and against gold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..item import Item
from ..rankings import originals, pairwise
from ..reliability import Aggregated, Check, against_gold, against_others, dawid_skene, log_odds
from ..vote import Vote
from .bias import against_habit, longer_side


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counted votes and what they were held against, whole and by annotator."""

    items: dict[str, Item]
    """Items of two candidates, by id."""
    prompts: dict[str, str]
    """From item id to prompt id: what clusters an annotator's votes."""
    originals: dict[str, str]
    """From item id to the id of the item it was asked as: what agreement is resampled by."""
    votes: dict[str, list[Vote]]
    """Counted votes by annotator; of a ranking, one for each two answers."""
    checks: dict[str, list[Check]]
    """Against the others' majority, weighed by their reliability; by annotator."""
    gold: dict[str, list[Check]]
    """Against gold answers, by annotator."""
    tastes: dict[str, list[tuple[Vote, float]]]
    """Choice of the longer answer minus that of the others' majority, by annotator."""
    asked: dict[str, Item]
    """Items as they were asked, by id: what there was to read."""
    answered: dict[str, list[Vote]]
    """Counted votes as they were cast, by annotator: what was timed."""
    model: Aggregated
    """Dawid-Skene's view of the counted votes, which also weighs them in `checks`."""

    @property
    def names(self) -> list[str]:
        """The annotators."""
        return sorted(self.votes)

    @property
    def all_votes(self) -> list[Vote]:
        """The counted votes of all."""
        return [vote for name in self.names for vote in self.votes[name]]


def gather(items: Sequence[Item], votes: Sequence[Vote], gold: Mapping[str, str]) -> Evidence:
    """Take rankings apart and hold every counted vote against the others and against gold."""
    parts, said = pairwise(items, votes)
    counted = [vote for vote in said if vote.counts]
    by_id = {item.id: item for item in parts}
    names = sorted({vote.annotator for vote in counted})
    model = dawid_skene(counted)
    checks, golden = against_others(counted, log_odds(model, counted)), against_gold(counted, gold)
    tastes = against_habit(checks, lambda vote: longer_side(by_id[vote.item_id]))
    return Evidence(
        by_id,
        {item.id: item.prompt_id for item in parts},
        originals(items),
        {name: [vote for vote in counted if vote.annotator == name] for name in names},
        {name: [check for check in checks if check.vote.annotator == name] for name in names},
        {name: [check for check in golden if check.vote.annotator == name] for name in names},
        {name: [row for row in tastes if row[0].annotator == name] for name in names},
        {item.id: item for item in items},
        {name: [vote for vote in votes if vote.counts and vote.annotator == name] for name in names},
        model,
    )

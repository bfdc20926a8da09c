"""How often two people differ on the same item, and what that makes of a label: measured, so that nobody guesses it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...collect import PreferencePair, Vote
from ...collect.agreement import pairwise_agreement
from ...collect.pair import TIE
from ...errors import UserError
from ..settings import TrainSettings
from .reading import UNIFORM, counts, unmeasured

log = logging.getLogger(__name__)

FEWEST_ITEMS = 20
"""Items with two votes, below which nothing is measured."""
LARGEST_RATE = 0.45
"""Beyond it the votes are next to a coin's, and no label is worth training on."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Of the votes that name a better answer."""

    rate: float
    """How often two votes on the same item name different answers, with half a difference in one more item added, so
    that a small collection without any is not taken for a perfect one."""
    interval: tuple[float, float]
    """95%, of the plain rate, by bootstrap over items."""
    items: int
    """Items with at least two such votes."""

    @property
    def prior(self) -> float:
        """The a of Beta(a, a) under which two votes on an item differ this often: rate = a / (2a + 1)."""
        return self.rate / (1 - 2 * self.rate)


def disagreement(votes: Sequence[Vote], clusters: Mapping[str, str] | None = None) -> Disagreement | None:
    """Measure it on all items, since those that gave a pair are those where people agreed.

    Args:
        votes: Any votes; only counted ones for A or B are used.
        clusters: From item id to what is resampled, where several items stand for one (a ranking's pairs).

    Returns:
        None where fewer than `FEWEST_ITEMS` items have two such votes.
    """
    named = sorted((vote for vote in votes if vote.counts and vote.choice in ("A", "B")), key=lambda v: v.item_id)
    rows = {key: [str(vote.choice) for vote in group] for key, group in groupby(named, lambda vote: vote.item_id)}
    twice = [item_id for item_id, row in rows.items() if len(row) > 1]
    if len(twice) < FEWEST_ITEMS:
        return None
    together = [clusters.get(item_id, item_id) for item_id in twice] if clusters else None
    found = pairwise_agreement([rows[item_id] for item_id in twice], clusters=together)
    assert found is not None
    rate = ((1 - found.value) * len(twice) + 0.5) / (len(twice) + 1)
    return Disagreement(rate, (1 - found.high, 1 - found.low), len(twice))


def chance_wrong(pair: PreferencePair, prior: float) -> float:
    """Return how likely most people would prefer `rejected`: P(q < 1/2), q being Beta(a + k, a + m) by its votes."""
    from scipy.special import betainc

    agree, n = counts(pair)
    return float(betainc(prior + agree, prior + n - agree, 0.5))


def measured(
    settings: TrainSettings,
    pairs: Sequence[PreferencePair],
    votes: Sequence[Vote],
    clusters: Mapping[str, str] | None = None,
) -> TrainSettings:
    """Return the settings with every number that they leave to measurement, for the record of the training.

    `votes.prior` becomes that of the measured disagreement, and `label_smoothing`, for smoothed targets, the expected
    share of wrong labels: the mean of `chance_wrong` over the pairs.

    Args:
        settings: As the recipe has them.
        pairs: What is trained on.
        votes: Those on all items that may be trained on, also on items that gave no pair.
        clusters: As in `disagreement`.

    Raises:
        UserError: smoothing can't be measured, or the votes are as good as a coin's.
    """
    if not unmeasured(settings):
        return settings
    found = disagreement(votes, clusters)
    if found is None and settings.votes.targets == "smoothed":
        raise UserError(
            f"votes.targets smoothed can't be measured: fewer than {FEWEST_ITEMS} items have two votes for an answer; "
            "set label_smoothing to the share of labels that you take for wrong"
        )
    if found and found.rate > LARGEST_RATE:
        raise UserError(
            f"two votes on the same of {found.items} items differ in {found.rate:.0%}, where coins would in 50%: "
            "there is hardly a preference to learn; look at `prefloop collect report` first"
        )
    prior = found.prior if found else UNIFORM
    if found is None:
        log.warning("fewer than %d items have two votes: votes.prior is taken as %g, unmeasured", FEWEST_ITEMS, prior)
    else:
        log.info("two votes on an item differ in %.1f%% (%d items)", 100 * found.rate, found.items)
    if settings.votes.targets == "soft":
        return settings.model_copy(update={"votes": settings.votes.model_copy(update={"prior": round(prior, 6)})})
    wrong = [chance_wrong(pair, prior) for pair in pairs if pair.kind != TIE]
    return settings.model_copy(update={"label_smoothing": round(sum(wrong) / max(1, len(wrong)), 6)})

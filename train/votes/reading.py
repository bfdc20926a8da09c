"""What a pair's votes say to the loss: how much the pair weighs, how sure its label is, and whether it is a tie.

One model of votes stands behind all of it: on an item, each annotator prefers A with the item's own probability q, and
over items q is Beta(a, a) distributed. Two votes on one item then differ with probability a / (2a + 1), from which a
is measured (`disagreement.py`). After k votes for `chosen` and m against it, q is Beta(a + k, a + m) distributed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...collect import PreferencePair
from ...collect.pair import TIE
from ...errors import UserError
from ..settings import TrainSettings
from .vote_settings import LOSSES

UNIFORM = 1.0
"""The prior where none is measured: any q is as likely as any other (Laplace's rule of succession)."""
WEIGHT, TARGET, TIED = "vote_weight", "vote_target", "vote_tie"
COLUMNS = (WEIGHT, TARGET, TIED)
"""What a training row carries beside TRL's own columns."""


@dataclass(frozen=True, slots=True)
class VoteFacts:
    """What the section does with these pairs, for a person to read."""

    rows: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


NOTHING = VoteFacts((), ())


def reads_votes(settings: TrainSettings) -> bool:
    """Whether the loss is ours; a smoothed robust loss, for one, is TRL's with a measured label_smoothing."""
    return settings.votes.in_loss and bool(LOSSES & set(settings.loss_type))


def unmeasured(settings: TrainSettings) -> bool:
    """Whether the settings leave a number to be measured from votes (`disagreement.measured`)."""
    votes = settings.votes
    return (votes.targets == "soft" and votes.prior is None) or (votes.smoothed and not settings.label_smoothing)


def refuse_unread(pairs: Sequence[PreferencePair], settings: TrainSettings) -> None:
    """Stop where the settings and the pairs do not fit together.

    Raises:
        UserError: a smoothing that nobody measured, or tied rows for a loss that does not know ties.
    """
    if settings.votes.smoothed and not settings.label_smoothing:
        raise UserError(
            "votes.targets smoothed with label_smoothing 0 is measured from a run's votes, and here are none; "
            "set label_smoothing, or pass the settings through `measured` first"
        )
    ties = [pair.id for pair in pairs if pair.kind == TIE]
    if ties and settings.votes.ties == "drop":
        raise UserError(
            f"{len(ties)} rows are ties ({', '.join(ties[:5])}), of which plain DPO would make preferences; "
            "leave them out, or take votes.ties davidson or rao_kupper"
        )


def probability(pair: PreferencePair, prior: float) -> float:
    """Return how likely the next annotator is to prefer `chosen`: (a + k) / (2a + n), the mean of Beta(a + k, a + m).

    Votes for neither answer count half for each. A pair without votes counts as one.
    """
    agree, n = counts(pair)
    return (prior + agree) / (2 * prior + n)


def counts(pair: PreferencePair) -> tuple[float, int]:
    """Return how many of the pair's n votes agree with its order, and n."""
    n = max(1, len(pair.vote_ids))
    share = pair.preferred if pair.preferred is not None else max(pair.weight, 0.5)
    return share * n, n


def loss_row(pair: PreferencePair, settings: TrainSettings) -> dict[str, Any]:
    """Return what the loss reads of the pair beside its tokens (`COLUMNS`); nothing where it is TRL's own."""
    if not reads_votes(settings):
        return {}
    votes, target = settings.votes, 1.0
    if votes.targets == "soft":
        target = probability(pair, votes.prior or UNIFORM)
    elif votes.smoothed:
        target = 1 - settings.label_smoothing
    return {WEIGHT: pair.weight if votes.weights else 1.0, TARGET: target, TIED: pair.kind == TIE}


def vote_facts(pairs: Sequence[PreferencePair], settings: TrainSettings) -> VoteFacts:
    """Say what the section does with these pairs, and where it can't help."""
    facts = [_smoothing_facts(settings)]
    if pairs and reads_votes(settings):
        facts += [_weight_facts(pairs, settings), _target_facts(pairs, settings), _tie_facts(pairs, settings)]
    return VoteFacts(tuple(row for fact in facts for row in fact.rows), tuple(w for f in facts for w in f.warnings))


def _smoothing_facts(settings: TrainSettings) -> VoteFacts:
    rows = [("label smoothing", f"{settings.label_smoothing:.3g}")] if settings.votes.smoothed else []
    return VoteFacts(tuple(rows), ())


def _weight_facts(pairs: Sequence[PreferencePair], settings: TrainSettings) -> VoteFacts:
    if not settings.votes.weights:
        return NOTHING
    weights = [pair.weight for pair in pairs]
    least, mean, most = min(weights), sum(weights) / len(weights), max(weights)
    row = ("vote weights", f"{least / mean:.2f} to {most / mean:.2f}, mean 1 (agreement {mean:.2f})")
    warning = "votes.weights changes nothing: all pairs weigh the same, as they do with one vote an item"
    return VoteFacts((row,), (warning,) if least == most else ())


def _target_facts(pairs: Sequence[PreferencePair], settings: TrainSettings) -> VoteFacts:
    clear = [pair for pair in pairs if pair.kind != TIE]
    if settings.votes.targets != "soft" or not clear:
        return NOTHING
    prior = settings.votes.prior or UNIFORM
    targets = [probability(pair, prior) for pair in clear]
    contested = sum(agree < n for agree, n in map(counts, clear))
    rows = (
        ("soft targets", f"{min(targets):.2f} to {max(targets):.2f}, prior {prior:.3g}"),
        ("contested pairs", f"{contested} of {len(clear)}"),
    )
    warning = f"votes.targets soft gives every pair the same target, {targets[0]:.2f}: the votes tell none from another"
    return VoteFacts(rows, (warning,) if min(targets) == max(targets) else ())


def _tie_facts(pairs: Sequence[PreferencePair], settings: TrainSettings) -> VoteFacts:
    if settings.votes.ties == "drop":
        return NOTHING
    tied = sum(pair.kind == TIE for pair in pairs)
    warning = f"votes.ties {settings.votes.ties} changes little: no item among these is a tie"
    row = ("ties", f"{tied} of {len(pairs)} rows, {settings.votes.ties}")
    return VoteFacts((row,), () if tied else (warning,))

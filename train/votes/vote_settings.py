"""What a pair's votes say to the loss: how much the pair weighs, how sure its label is, and whether it is a tie.

One model of votes stands behind all of it: on an item, each annotator prefers A with the item's own probability q, and
over items q is Beta(a, a) distributed. Two votes on one item then differ with probability a / (2a + 1), from which a
is measured (`disagreement.py`). After k votes for `chosen` and m against it, q is Beta(a + k, a + m) distributed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from ...collect import PreferencePair
from ...collect.pair import TIE
from ...errors import UserError

if TYPE_CHECKING:
    from ..settings import TrainSettings

UNIFORM = 1.0
"""The prior where none is measured: any q is as likely as any other (Laplace's rule of succession)."""
LOSSES = {"sigmoid", "sigmoid_norm"}
"""The losses that are the likelihood of a vote, -log sigma(margin): in others, weights and targets mean nothing."""
SMOOTHED = {"robust", "exo_pair", "aot", "aot_unpaired"}
"""The losses in which TRL reads `label_smoothing`; it ignores it for all others."""
WEIGHT, TARGET, TIED = "vote_weight", "vote_target", "vote_tie"
COLUMNS = (WEIGHT, TARGET, TIED)
"""What a training row carries beside TRL's own columns."""


class VoteSettings(BaseModel, extra="forbid", frozen=True):
    """What the loss makes of the votes behind a pair; by default nothing, as in plain DPO."""

    weights: bool = False
    """Multiply a pair's loss by the share of its votes that agree (over the mean share, so that learning rates keep
    their meaning): contested pairs count less."""
    targets: Literal["hard", "smoothed", "soft"] = "hard"
    """How sure a label is: hard takes it for certain; soft gives each pair the probability that its own votes leave;
    smoothed gives all the same one, 1 - label_smoothing, measured where label_smoothing is 0 (cDPO, or robust)."""
    prior: float | None = Field(None, gt=0)
    """For soft targets, votes' worth put on each side before counting. None measures it by how often two votes on an
    item differ; 1 makes 3:0 a probability of 0.8."""
    ties: Literal["drop", "davidson", "rao_kupper"] = "drop"
    """Leave tied items out, or train on them too, with a model of preference that knows ties (arXiv 2409.17431)."""
    tie_probability: float = Field(0.5, gt=0, lt=1)
    """For that model: how often two equally good answers are called a tie; its paper takes 0.5."""

    @property
    def in_loss(self) -> bool:
        """Whether the loss is another one than TRL's, if the loss is one of `LOSSES`."""
        return self.weights or self.targets != "hard" or self.ties != "drop"


@dataclass(frozen=True, slots=True)
class VoteFacts:
    """What the section does with these pairs, for a person to read."""

    rows: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


NOTHING = VoteFacts((), ())


def vote_problem(settings: "TrainSettings") -> str | None:
    """Say what of the section does not go with the rest of the settings, or None."""
    votes, losses = settings.votes, set(settings.loss_type)
    if votes.prior is not None and votes.targets != "soft":
        return f"votes.prior {votes.prior:g} has no effect on {votes.targets} targets; take votes.targets soft"
    if votes.tie_probability != VoteSettings().tie_probability and votes.ties == "drop":
        return "votes.tie_probability has no effect where ties are dropped; take votes.ties davidson or rao_kupper"
    if not votes.in_loss or (SMOOTHED & losses and not votes.weights and votes.ties == "drop" and _smoothed(votes)):
        return None
    if not LOSSES & losses or losses - LOSSES - {"sft"}:
        asked = [name for name, on in _asked(votes).items() if on]
        also = f"; targets smoothed also goes with {', '.join(sorted(SMOOTHED))}" if _smoothed(votes) else ""
        return (
            f"votes.{' and votes.'.join(asked)} can't be read by loss_type {', '.join(settings.loss_type)}, which is "
            f"no likelihood of a vote; take sigmoid or sigmoid_norm, with or without sft{also}"
        )
    if settings.ld_alpha is not None:
        return "votes and ld_alpha both change the loss of a pair and were never tried together; leave one of them out"
    return None


def reads_votes(settings: "TrainSettings") -> bool:
    """Whether the loss is ours; a smoothed robust loss, for one, is TRL's with a measured label_smoothing."""
    return settings.votes.in_loss and bool(LOSSES & set(settings.loss_type))


def unmeasured(settings: "TrainSettings") -> bool:
    """Whether the settings leave a number to be measured from votes (`disagreement.measured`)."""
    votes = settings.votes
    return (votes.targets == "soft" and votes.prior is None) or (_smoothed(votes) and not settings.label_smoothing)


def refuse_unread(pairs: Sequence[PreferencePair], settings: "TrainSettings") -> None:
    """Stop where the settings and the pairs do not fit together.

    Raises:
        UserError: a smoothing that nobody measured, or tied rows for a loss that does not know ties.
    """
    if _smoothed(settings.votes) and not settings.label_smoothing:
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


def loss_row(pair: PreferencePair, settings: "TrainSettings") -> dict[str, Any]:
    """Return what the loss reads of the pair beside its tokens (`COLUMNS`); nothing where it is TRL's own."""
    if not reads_votes(settings):
        return {}
    votes, target = settings.votes, 1.0
    if votes.targets == "soft":
        target = probability(pair, votes.prior or UNIFORM)
    elif _smoothed(votes):
        target = 1 - settings.label_smoothing
    return {WEIGHT: pair.weight if votes.weights else 1.0, TARGET: target, TIED: pair.kind == TIE}


def vote_facts(pairs: Sequence[PreferencePair], settings: "TrainSettings") -> VoteFacts:
    """Say what the section does with these pairs, and where it can't help."""
    facts = [_smoothing_facts(settings)]
    if pairs and reads_votes(settings):
        facts += [_weight_facts(pairs, settings), _target_facts(pairs, settings), _tie_facts(pairs, settings)]
    return VoteFacts(tuple(row for fact in facts for row in fact.rows), tuple(w for f in facts for w in f.warnings))


def _smoothing_facts(settings: "TrainSettings") -> VoteFacts:
    rows = [("label smoothing", f"{settings.label_smoothing:.3g}")] if _smoothed(settings.votes) else []
    return VoteFacts(tuple(rows), ())


def _weight_facts(pairs: Sequence[PreferencePair], settings: "TrainSettings") -> VoteFacts:
    if not settings.votes.weights:
        return NOTHING
    weights = [pair.weight for pair in pairs]
    least, mean, most = min(weights), sum(weights) / len(weights), max(weights)
    row = ("vote weights", f"{least / mean:.2f} to {most / mean:.2f}, mean 1 (agreement {mean:.2f})")
    warning = "votes.weights changes nothing: all pairs weigh the same, as they do with one vote an item"
    return VoteFacts((row,), (warning,) if least == most else ())


def _target_facts(pairs: Sequence[PreferencePair], settings: "TrainSettings") -> VoteFacts:
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


def _tie_facts(pairs: Sequence[PreferencePair], settings: "TrainSettings") -> VoteFacts:
    if settings.votes.ties == "drop":
        return NOTHING
    tied = sum(pair.kind == TIE for pair in pairs)
    warning = f"votes.ties {settings.votes.ties} changes little: no item among these is a tie"
    row = ("ties", f"{tied} of {len(pairs)} rows, {settings.votes.ties}")
    return VoteFacts((row,), () if tied else (warning,))


def _smoothed(votes: VoteSettings) -> bool:
    return votes.targets == "smoothed"


def _asked(votes: VoteSettings) -> dict[str, bool]:
    return {
        "weights": votes.weights,
        f"targets {votes.targets}": votes.targets != "hard",
        f"ties {votes.ties}": votes.ties != "drop",
    }

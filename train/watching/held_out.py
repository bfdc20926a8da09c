"""Training pairs set apart to watch a training by, or to choose between trainings: not the sealed set."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field, model_validator

from ...collect import PreferencePair
from ...collect.item import content_hash
from ...collect.pair import TIE
from ...collect.sealing.clusters import clusters, prompt_texts
from ...errors import UserError

log = logging.getLogger(__name__)

DRAW = 0
"""One draw for every training, whatever its seed: trainings that differ in nothing but the seed are watched alike."""


class HeldOutSettings(BaseModel, extra="forbid", frozen=True):
    """Which pairs a training is watched by instead of trained on, and when it stops for them."""

    share: float = Field(0.1, ge=0, lt=1)
    """Of the prompts; near-duplicates stay on one side. 0 holds nothing out."""
    at_least: int = Field(50, ge=2)
    """Where the share comes to fewer pairs than this, none are held out: they would be missed more than they tell."""
    at_most: int = Field(300, ge=2)
    """Where the share comes to more, the rest are trained on: 300 pairs tell an accuracy to 6 points, and cost time."""
    every: int | None = Field(None, ge=1)
    """Steps between two measurements; None measures as often as takes about a tenth of the training's time."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many measurements without a higher accuracy, and keep the best weights; None does neither."""

    @model_validator(mode="after")
    def _agree(self) -> "HeldOutSettings":
        if self.patience is not None and not self.share:
            raise ValueError("patience stops on held-out pairs, but share 0 holds none out")
        if self.at_most < self.at_least:
            raise ValueError(f"at_most {self.at_most} is less than at_least {self.at_least}")
        return self


@dataclass(frozen=True, slots=True)
class Split:
    """The pairs of a training, in the order given."""

    training: tuple[PreferencePair, ...]
    held_out: tuple[PreferencePair, ...]
    clusters: dict[str, str]
    """For each held-out prompt's id the id that its near-duplicates share."""

    @property
    def measured(self) -> list[PreferencePair]:
        """The held-out pairs that have a better answer."""
        return [pair for pair in self.held_out if pair.kind != TIE]


def split(pairs: Sequence[PreferencePair], settings: HeldOutSettings) -> Split:
    """Hold out what the settings ask for, or nothing where it comes to too few pairs.

    By default small sets are trained on whole, and 500 pairs are the first to give some up: below that, the held-out
    accuracy would be known to 14 points at best, too little to see a training go right or wrong.

    Raises:
        UserError: the training is to stop by held-out pairs, and none can be held out.
    """
    whole, found = Split(tuple(pairs), (), {}), round(settings.share * len(pairs))
    if found < settings.at_least:
        if settings.patience is not None:
            raise UserError(
                f"train.held_out.patience stops on held-out pairs, but {settings.share:.0%} of {len(pairs)} pairs are "
                f"{found}, fewer than at_least {settings.at_least}; raise share or lower at_least"
            )
        return whole
    try:
        training, held = hold_out(pairs, min(settings.share, settings.at_most / len(pairs)), DRAW)
    except UserError as error:
        if settings.patience is not None:
            raise
        log.warning("nothing is held out: %s", error)
        return whole
    prompts = {pair.prompt_id: prompt_texts(pair.prompt) for pair in held}
    named = {prompt_id: members[0] for members in clusters(prompts) for prompt_id in members}
    return Split(tuple(training), tuple(held), named)


def hold_out(
    pairs: Sequence[PreferencePair], share: float, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Split pairs into those to train on and those held out, by clusters of near-duplicate prompts.

    Whole clusters are drawn until `share` of the prompts is held out; one that would go past it is passed over. The
    draw goes by hashes, so the order of the pairs plays no part, and further pairs on known prompts move nobody.

    Args:
        pairs: At least two clusters of prompts.
        share: Of the prompts, in (0, 1).
        seed: Of the draw.

    Returns:
        The training pairs and the held-out pairs, each in the order given.

    Raises:
        UserError: one side would be empty.
    """
    prompts = {pair.prompt_id: prompt_texts(pair.prompt) for pair in pairs}
    room, held = max(1, round(share * len(prompts))), set[str]()
    for members in sorted(clusters(prompts), key=lambda members: content_hash([seed, members[0]])):
        if len(held) + len(members) <= room:
            held.update(members)
    if not held or len(held) == len(prompts):
        raise UserError(
            f"{share:.0%} of the {len(prompts)} prompts cannot be held out: they are too few or too alike "
            "(near-duplicates stay together); collect more prompts or choose another share"
        )
    return (
        [pair for pair in pairs if pair.prompt_id not in held],
        [pair for pair in pairs if pair.prompt_id in held],
    )

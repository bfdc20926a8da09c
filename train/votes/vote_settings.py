"""What the loss may make of votes, as a recipe says it."""

from typing import Literal

from pydantic import BaseModel, Field

LOSSES = {"sigmoid", "sigmoid_norm"}
"""The losses that are the likelihood of a vote, -log sigma(margin): in others, weights and targets mean nothing."""
SMOOTHED = {"robust", "exo_pair", "aot", "aot_unpaired"}
"""The losses in which TRL reads `label_smoothing`; it ignores it for all others."""


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
    def smoothed(self) -> bool:
        """Whether every pair has the same uncertain label."""
        return self.targets == "smoothed"

    @property
    def in_loss(self) -> bool:
        """Whether the loss is another one than TRL's, if the loss is one of `LOSSES`."""
        return self.weights or self.targets != "hard" or self.ties != "drop"

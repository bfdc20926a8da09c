"""What a model must show before it may ship."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Margin = Annotated[float, Field(gt=0, le=100)]
"""Points (0 to 100) that may be lost."""


class GateSettings(BaseModel):
    """Rules over a report. All must hold; what was not measured does not hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    superior: tuple[str, ...] = ()
    """Where the tuned model must be shown to be better than its base (`preference`, `check`, `win_rate`,
    `win_rate_without_style`, `people`, `right_answers`, `general` or a benchmark task's name), corrected for their
    number by Holm's method."""
    non_inferior: dict[str, Margin] = {}
    """Where it may not be worse by more than so many points, the same names: `{general: 3, leaderboard_ifeval: 2}`."""
    judge_audited: bool = False
    """Whether the judge must have been held against people, and be good enough to decide."""
    max_sealed_openings: int | None = Field(default=None, ge=1)
    """How often the sealed set may have been opened, this evaluation included."""
    no_contamination: bool = False
    """Whether training data that holds evaluation items fails the gate."""
    no_alarms: bool = False
    """Whether an alarm of the training fails the gate."""

    @model_validator(mode="after")
    def _says_something(self) -> "GateSettings":
        if not (
            self.superior
            or self.non_inferior
            or self.judge_audited
            or self.max_sealed_openings
            or self.no_contamination
            or self.no_alarms
        ):
            raise ValueError("a gate without a rule lets everything pass: give it one, or leave it out")
        if len(set(self.superior)) < len(self.superior):
            raise ValueError(f"superior names something twice: {', '.join(self.superior)}")
        return self

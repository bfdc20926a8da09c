"""How candidates are asked."""

from pydantic import BaseModel, ConfigDict, Field


class TryOutSettings(BaseModel):
    """The same for every candidate, or nothing could be compared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=256, gt=0)
    """The longest answer, in tokens."""
    batch_size: int = Field(default=8, gt=0)
    """Examples answered at once by a model of this machine."""
    system: str | None = None
    """A system message before every prompt that is given as text alone."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Of every interval and verdict."""
    resamples: int = Field(default=2000, ge=200)
    """Bootstrap draws of the examples, for the intervals of ranks."""
    seed: int = Field(default=0, ge=0)
    """Of the bootstrap. Answers take the likeliest token each time and need none."""

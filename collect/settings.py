"""The collection stage's settings."""

from pathlib import Path

from pydantic import BaseModel, Field

from .form import FormSettings


class CollectSettings(BaseModel, extra="forbid", frozen=True):
    """What to show to whom, and what is set apart first."""

    items: Path
    """JSON lines of items: a prompt, two candidate responses, and where each came from."""
    guidelines: Path
    """Markdown that annotators read beside the queue, at most 10,000 characters."""
    votes: Path | None = None
    """Recorded votes (JSON lines) to replay instead of asking people: for demonstrations."""
    workspace: str = Field("prefloop", pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_\-]*$")
    """Argilla's workspace; annotators are added to it."""
    queue: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_\-]*$")
    """The name of the queue (an Argilla dataset)."""
    min_votes: int = Field(3, ge=1)
    """Submitted votes after which Argilla takes an item for completed."""
    form: FormSettings = FormSettings()
    """What annotators are asked about each item, and how they see it."""
    sealed_fraction: float = Field(0.25, ge=0, lt=1)
    """Share of the distinct prompts set apart before anyone labels."""
    sealed_seed: int = 0
    """Which prompts those are."""
    min_margin: int = Field(1, ge=1)
    """A pair needs at least this many votes more for its winner than for anything else."""

"""The collection stage's settings."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator

from .policy import PairSettings
from .queues.form import FormSettings
from .queues.queueing import QueueingSettings
from .sampling.selection import SelectSettings
from .sampling.suggestions import SuggestionSettings
from .sampling.writers import SampleSettings
from .sealing.contamination import DecontaminateSettings
from .sealing.personal import PersonalAction

NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_\-]*$"
SkillName = Annotated[str, StringConstraints(pattern=NAME, max_length=60)]


class SkillSettings(BaseModel, extra="forbid", frozen=True):
    """A queue of its own for the items of one skill."""

    tag: str | None = None
    """Items with this tag go there; the skill's name where none is given."""
    guidelines: Path | None = None
    """What its annotators read, where that differs from the other queues'."""
    workspace: str | None = Field(None, pattern=NAME)
    """Argilla's workspace, where only some people shall see this queue; else the recipe's."""
    annotators: tuple[str, ...] = ()
    """User names of the people who label it, for `prefloop collect invite` without names."""


class CollectSettings(BaseModel, extra="forbid", frozen=True):
    """What to show to whom, and what is set apart first."""

    items: Path
    """JSON lines of items: a prompt, two candidate responses, and where each came from."""
    guidelines: Path
    """Markdown that annotators read beside the queue, at most 10,000 characters."""
    votes: Path | None = None
    """Recorded votes (JSON lines) to replay instead of asking people: for demonstrations."""
    workspace: str = Field("prefloop", pattern=NAME)
    """Argilla's workspace; annotators are added to it."""
    queue: str = Field(pattern=NAME, max_length=100)
    """The name of the queue (an Argilla dataset)."""
    skills: dict[SkillName, SkillSettings] = {}
    """Queues of their own for some of the items, by tag; the first that matches takes an item."""
    min_votes: int = Field(3, ge=1)
    """Submitted votes after which Argilla takes an item for completed."""
    form: FormSettings = FormSettings()
    """What annotators are asked about each item, and how they see it."""
    queueing: QueueingSettings = QueueingSettings()
    """Who is shown which item when; the embedded server only."""
    sealed_fraction: float = Field(0.25, ge=0, lt=1)
    """Share of the distinct prompts set apart before anyone labels."""
    sealed_seed: int = 0
    """Which prompts those are."""
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    """What must be in no item and no training pair."""
    pii: PersonalAction = "off"
    """Look for personal data and secrets in items and in what annotators write: list them, or
    stop. Needs the extra `pii`."""
    pairs: PairSettings = PairSettings()
    """How votes become preference pairs."""
    price_per_hour: float | None = Field(None, gt=0)
    """What an hour of labelling costs, so that the quality report can say what a pair costs and what more would."""
    currency: str = Field("EUR", min_length=1, max_length=8)
    """The currency of that price."""
    sample: SampleSettings | None = None
    """Candidate answers by models, for `prefloop collect sample`; `items` is then written by `collect select`."""
    select: SelectSettings = SelectSettings()
    """Which of the sampled pairs people are asked about."""
    suggestions: SuggestionSettings | None = None
    """Show a scorer's choice with a random share of the items."""

    @field_validator("skills")
    @classmethod
    def _skills_are_queues(cls, skills: dict[str, SkillSettings]) -> dict[str, SkillSettings]:
        versions = [name for name in skills if re.fullmatch(r"v\d+", name)]
        if versions:
            raise ValueError(f"the skill {versions[0]!r} would be taken for a version of the queue; name it otherwise")
        if "adjudication" in skills:
            raise ValueError("the skill 'adjudication' would share its queue with disputed items; name it otherwise")
        tags = [skill.tag or name for name, skill in skills.items()]
        twice = sorted({tag for tag in tags if tags.count(tag) > 1})
        if twice:
            raise ValueError(f"two skills ask for the tag {twice[0]!r}; the second would get nothing")
        return skills

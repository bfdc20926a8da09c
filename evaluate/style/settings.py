"""What the look at style and substance can be told."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator


class RefusalSettings(BaseModel):
    """Which prompts should be refused, and how to tell that an answer refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Path
    """JSON lines {"prompt_id", "refuse": true or false}: whether a prompt should be refused."""
    pattern: str | None = None
    """A regular expression (case is ignored) that is found in refusals; prefloop's own English phrases if there is
    none."""

    @field_validator("pattern")
    @classmethod
    def _pattern_works(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from error
        return pattern


class StyleSettings(BaseModel):
    """What stands beside the win rate to tell substance from style."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: Path | None = None
    """JSON lines {"prompt_id", "answer"}: right answers, one or a list of equally right ones, to be met exactly."""
    refusals: RefusalSettings | None = None
    """What should be refused, if the task knows."""

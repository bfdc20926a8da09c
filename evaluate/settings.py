"""What an evaluation can be told."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class CheckSettings(BaseModel):
    """What every answer must be to count as doing the task, decided without a judge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str | None = None
    """A regular expression that the whole answer must match; its group `label`, if any, is the answer's label."""
    max_words: int | None = Field(default=None, gt=0)
    """The longest acceptable answer, in words."""
    labels: Path | None = None
    """JSON lines {"prompt_id", "labels": [...]}: the labels that are right for a prompt."""

    @model_validator(mode="after")
    def _pattern_works(self) -> "CheckSettings":
        try:
            groups = re.compile(self.pattern or "").groupindex
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r} is not a regular expression: {error}") from error
        if self.labels is not None and "label" not in groups:
            raise ValueError("labels are compared with the group `label` of pattern: write (?P<label>...) into pattern")
        return self


class JudgeSettings(BaseModel):
    """A judge model behind any OpenAI-compatible endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    """The endpoint, for example `http://127.0.0.1:8000/v1`."""
    model: str
    """The judge's name at that endpoint."""
    api_key_env: str | None = None
    """The name of the environment variable that holds the key. The key itself never stands in a recipe."""
    instructions: str = "Helpfulness, relevance, accuracy, depth and level of detail."
    """What makes an answer better for this task; part of the judge's prompt."""
    max_tokens: int = Field(default=512, gt=0)
    """The longest verdict, in tokens."""

    @field_validator("base_url")
    @classmethod
    def _no_credentials(cls, base_url: str) -> str:
        if "@" in base_url:
            raise ValueError(
                "base_url must not hold a user or password: it is written into the report; use api_key_env"
            )
        return base_url


class GeneralSettings(BaseModel):
    """A multiple-choice task about something else, to see what the tuning cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """JSON lines {"question", "choices": [...], "answer": index}."""
    limit: int | None = Field(default=None, gt=0)
    """Ask only the first so many questions."""


class EvaluateSettings(BaseModel):
    """How to compare a tuned model with its base."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=128, gt=0)
    """The longest generated answer, in tokens; longer ones are cut off and counted."""
    batch_size: int = Field(default=32, gt=0)
    """Sequences in one forward pass."""
    bootstrap: int = Field(default=10_000, ge=1000)
    """Resamples for an interval."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """The probability with which an interval should hold the true value."""
    seed: int = Field(default=0, ge=0)
    """Of the resampling; answers are generated greedily."""
    examples: int = Field(default=6, ge=0)
    """How many sealed prompts the report shows with both answers."""
    check: CheckSettings | None = None
    """The task check, if the task has one."""
    judge: JudgeSettings | None = None
    """The judge model; without one the task check decides who wins."""
    general: GeneralSettings | None = None
    """The general task."""

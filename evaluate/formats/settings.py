"""What a format audit can be told."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..tasks.catalogue import SOURCES

AUDITED = ("arc", "bbh", "hellaswag", "mmlu", "musr")
"""Benchmarks whose questions and choices can be told apart, so that they can be worded anew."""


class FormatsSettings(BaseModel):
    """Which multiple-choice questions are asked in how many wordings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    """JSON lines {"question", "choices": [...], "answer": index}; or a folder as `--data-dir` takes it."""
    benchmark: str | None = None
    """Where `data` is such a folder: whose questions."""
    limit: int | None = Field(default=100, gt=0)
    """Ask only the first so many questions (of each part of a benchmark); None: all."""
    batch_size: int = Field(default=16, gt=0)
    """Sequences in one forward pass."""
    resamples: int = Field(default=2000, ge=200)
    """For intervals, and for what chance alone does."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """The probability with which an interval should hold the true value."""
    seed: int = Field(default=0, ge=0)
    """Of the resampling."""

    @field_validator("benchmark")
    @classmethod
    def _can_be_worded(cls, name: str | None) -> str | None:
        if name is not None and name not in AUDITED:
            known = ", ".join(AUDITED)
            why = "is no benchmark" if name not in {source.name for source in SOURCES} else "has no choices to reword"
            raise ValueError(f"{name!r} {why}: the wording of {known} can be audited")
        return name

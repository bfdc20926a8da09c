"""What a run of MT-Bench needs to be told."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...asking import EndpointSettings


class MtBenchSettings(BaseModel):
    """Questions, prompts and a judge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: Path
    """FastChat's `question.jsonl`, or one's own in that form."""
    prompts: Path
    """FastChat's `judge_prompts.jsonl`, or one's own under the same names."""
    references: Path | None = None
    """FastChat's `reference_answer/gpt-4.jsonl`: for categories judged beside a reference (math, reasoning, coding)."""
    mode: Literal["single", "pair", "both"] = "single"
    """Rate each answer, compare base and tuned in both orders, or both."""
    judge: EndpointSettings | None = None
    """The judge, behind an endpoint."""
    local_judge: str | None = None
    """Or a judge on this machine: a model folder or Hub name."""
    limit: int | None = Field(default=None, gt=0)
    """Only the first so many questions."""
    max_new_tokens: int = Field(default=1024, gt=0)
    """The longest answer, in tokens (FastChat's number)."""
    judge_max_tokens: int = Field(default=2048, gt=0)
    """The longest judgment, in tokens (FastChat's number)."""
    batch_size: int = Field(default=8, gt=0)
    """Questions answered at once by a local model."""
    seed: int = Field(default=0, ge=0)
    """Of the answers sampled above temperature 0."""

    @model_validator(mode="after")
    def _one_judge(self) -> "MtBenchSettings":
        if (self.judge is None) == (self.local_judge is None):
            raise ValueError("give one judge: `judge` (an endpoint) or `local_judge` (a model folder)")
        return self

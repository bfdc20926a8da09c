"""What an evaluation can be told."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .check import CheckSettings
from .formats.settings import FormatsSettings
from .gates.settings import GateSettings
from .general import GeneralSettings
from .judge import JudgeSettings
from .judge_audit.settings import AuditSettings
from .judges.settings import RubricSettings
from .mt_bench.settings import MtBenchSettings
from .style.settings import StyleSettings
from .tasks.settings import TasksSettings


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
    examples: int = Field(default=24, ge=0)
    """How many sealed prompts the report shows with both answers."""
    check: CheckSettings | None = None
    """The task check, if the task has one."""
    judge: JudgeSettings | None = None
    """The judge model; without one the task check decides who wins."""
    rubric: RubricSettings | None = None
    """What the judge rates or checks each answer by, alone, beside comparing the two."""
    general: GeneralSettings | None = None
    """The general task."""
    tasks: TasksSettings | None = None
    """Benchmark tasks through lm-eval: the Open LLM Leaderboard's, or your own."""
    formats: FormatsSettings | None = None
    """Multiple-choice questions in several wordings, to see how far a score depends on them."""
    mt_bench: MtBenchSettings | None = None
    """MT-Bench, or your own questions in its form, answered by both models and judged."""
    style: StyleSettings = StyleSettings()
    """What tells substance from style, beside the win rate."""
    audit: AuditSettings = AuditSettings()
    """What is asked of a judge before it may decide (`prefloop judge audit`)."""
    gate: GateSettings | None = None
    """What the report must show before the model may ship (`prefloop evaluate --gate`, `prefloop gate`)."""

    @model_validator(mode="after")
    def _somebody_judges(self) -> "EvaluateSettings":
        if self.rubric and not self.judge:
            raise ValueError("rubric needs a judge: give evaluate.judge")
        return self

"""What single answers are judged by."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class RubricSettings(BaseModel):
    """A rubric, criteria, or both: each answer is judged alone, without the other model's beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rubric: str | None = None
    """What a rating from 1 to 10 goes by, in your own words."""
    criteria: tuple[str, ...] = ()
    """Statements that are true of a good answer, each asked on its own: `Names a next step.`"""
    max_tokens: int = Field(default=512, gt=0)
    """The longest verdict, in tokens."""

    @field_validator("criteria")
    @classmethod
    def _differ(cls, criteria: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(criteria)) < len(criteria) or not all(each.strip() for each in criteria):
            raise ValueError("criteria must differ from each other, and none may be empty")
        return criteria

    @model_validator(mode="after")
    def _something(self) -> "RubricSettings":
        if self.rubric is None and not self.criteria:
            raise ValueError("give a rubric, criteria, or both")
        return self

"""What can be wrong with a pair, and from which share of the pairs on it is a warning or stops the run."""

from dataclasses import dataclass

from pydantic import BaseModel, Field, field_validator


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that can be wrong."""

    says: str
    fails: float | None = None
    """The share of the pairs above which it stops the run, 0 to 1; None never does."""
    warns: float | None = 0.0
    """The share above which it is a warning; None only counts it."""


FINDINGS = {
    "broken_prompt": Finding("the prompt is empty or does not end with the user's turn", fails=0.0),
    "empty": Finding("a response has no text", fails=0.0),
    "identical": Finding("chosen and rejected are the same text", fails=0.0),
    "identical_after_truncation": Finding("chosen and rejected differ only beyond max_length", fails=0.0),
    "double_bos": Finding(
        "the text starts with two beginning-of-text tokens: the prompt was rendered already", fails=0.0
    ),
    "dropped": Finding("the prompt alone fills max_length, so the pair is left out", fails=0.1),
    "truncated": Finding("a response loses its end to max_length"),
    "eos_lost": Finding(
        "truncation takes the end-of-text token, so the model sees a response that never stops", fails=0.5
    ),
    "eos_missing": Finding("the chat template ends no response with the end-of-text token"),
    "prompt_not_a_prefix": Finding("the chat template renders the prompt differently once a response follows"),
    "altered": Finding("the chat template does not render a response as it was written"),
    "special_token_in_text": Finding("the text holds a special token of the tokenizer, which it will be read as"),
    "contradictory": Finding("another pair prefers the opposite for the same prompt"),
    "duplicate": Finding("the same pair occurs more than once"),
    "shared_prompt": Finding("other pairs have the same prompt", warns=None),
}
"""What is looked for, in the order in which it is reported."""


class PreflightSettings(BaseModel, extra="forbid", frozen=True):
    """From which share of the pairs on a finding stops the run, where the built-in bound does not fit."""

    fail_above: dict[str, float] = Field(default_factory=dict)
    """By the finding's name, 0 to 1: `eos_lost: 0.2` stops where over a fifth of the pairs lose their end; 1 never."""

    @field_validator("fail_above")
    @classmethod
    def _known(cls, bounds: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(bounds) - set(FINDINGS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no finding; there are {', '.join(FINDINGS)}")
        outside = [f"{name} {bound:g}" for name, bound in bounds.items() if not 0 <= bound <= 1]
        if outside:
            raise ValueError(f"{', '.join(outside)}: a share of the pairs lies between 0 and 1")
        return bounds

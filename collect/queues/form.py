"""The labelling form: what annotators are asked about an item, and how they see it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

MAX_CANDIDATES = 10

Criterion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
Description = Annotated[str, StringConstraints(max_length=1000)]


class FormSettings(BaseModel, extra="forbid", frozen=True):
    """What annotators are asked about each item, and how they see it. Skipping an item is Argilla's discard."""

    kind: Literal["pairwise", "ranking"] = "pairwise"
    """`pairwise` asks which of two answers is better, `ranking` puts two to ten in order, ties allowed."""
    candidates: int = Field(2, ge=2, le=MAX_CANDIDATES)
    """Answers shown at once, 2 to 10; more than two in a ranking only. Every item of the queue must have this many."""
    question: str | None = Field(None, min_length=1, max_length=500)
    """The main question in your words, for example `Which reply would you send?`."""
    tie: bool = True
    """Offer `Equally good` (pairwise; in a ranking, answers may always share a rank)."""
    both_bad: bool = True
    """Offer `Both are bad` (pairwise)."""
    strength: bool = False
    """Ask how much better the chosen answer is, in Llama 2's four levels (arXiv:2307.09288, section 3.2; pairwise)."""
    criteria: dict[Criterion, Description] = {}
    """Criteria rated 1 to 5, each with the sentence that explains it to annotators (may be empty)."""
    rate: Literal["better", "each"] = "better"
    """Whether criteria are rated for the better answer only, or for each answer by itself."""
    critique: Literal["none", "optional", "required"] = "optional"
    """A free-text field for the reason."""
    edit: bool = True
    """Offer a free-text field for a better version of the best answer: edited > chosen > rejected."""
    markdown: bool = False
    """Show prompts and answers as rendered Markdown (lists, headings, code) instead of letter by letter."""
    layout: Literal["stacked", "side_by_side"] = "stacked"
    """Answers one below the other, or in columns next to each other."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "FormSettings":
        if self.kind == "pairwise" and self.candidates != 2:
            raise ValueError(f"{self.candidates} candidates need kind: ranking; a pairwise form shows two")
        if self.kind == "ranking" and self.strength:
            raise ValueError("strength is asked in pairwise forms only; a ranking says it by its order")
        if self.kind == "ranking" and not self.tie:
            raise ValueError("tie can't be switched off in a ranking; Argilla always lets answers share a rank")
        return self

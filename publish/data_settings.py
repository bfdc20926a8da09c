"""What publishing the votes can be told."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

CONSENTS = {
    "agreed": "The annotators agreed to the publication of their votes under a pseudonym.",
    "employees": "The annotators voted as part of their paid work, and their employer publishes the votes.",
    "own": "The publishers are the annotators.",
    "public": "The votes were public before, under their source's own terms; nobody was asked anew.",
}
"""What may be said in one word of why people's votes may be published, and the sentence that the card then has."""


def _consent(text: str) -> str:
    """Return the sentence for the card. Raises ValueError where a word is none of ours, or says nothing."""
    said = text.strip()
    if said in CONSENTS:
        return CONSENTS[said]
    if len(said.split()) < 4:
        raise ValueError(
            f"say in a sentence why the annotators' votes may be published, or write one of: {', '.join(CONSENTS)}"
        )
    return said


class DataSettings(BaseModel, extra="forbid", frozen=True):
    """How the votes are published beside the model. Sealed prompts and annotators' names never are."""

    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    """The data set's Hub name, `user/data`."""
    license: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """The data set's licence as the Hub spells it (`cc-by-4.0`)."""
    consent: Annotated[str, AfterValidator(_consent)]
    """Why the annotators' votes may be published: `agreed`, `employees`, `own`, `public`, or your own sentence."""
    votes: bool = True
    """Whether every vote is published, its annotator by pseudonym. Without, a model's pairs can't be traced to them."""
    items: bool = True
    """Whether the items are published that gave no pair (ties, disputes), with who wrote each candidate."""

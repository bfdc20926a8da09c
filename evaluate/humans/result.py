"""What people said of the two models' answers. Shares are in [0, 1]."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...collect import Agreement
from ...errors import UserError
from ...runs import read_json, write_json
from ..estimate import Estimate, Verdict


@dataclass(frozen=True, slots=True)
class HumanRound:
    """One evaluation round by people: the tuned model against its base."""

    queue: str
    base: str
    tuned: str
    prompts: int
    """All prompts: those asked about, the equal ones and the refused ones."""
    asked: int
    """Prompts that people were shown."""
    equal: tuple[str, ...]
    """Ids of prompts with equal answers: ties without asking."""
    refused: dict[str, str]
    """Prompts that Argilla could not show, with the reason; in no number below."""
    unlabelled: tuple[str, ...]
    """Ids of prompts that were shown and have no counted vote yet."""
    unfinished: tuple[str, ...]
    """Ids of prompts with fewer counted votes than the queue asks for; the unlabelled are not among them."""
    annotators: int
    """With at least one counted vote."""
    choices: dict[str, int]
    """Counted votes: `tuned`, `base`, `tie`, `both_bad`."""
    not_counted: dict[str, int]
    """Answers that take no part: drafts and skips."""
    wins: int
    """Prompts on which more voted for the tuned model than for any other answer."""
    ties: int
    """Prompts on which more voted for neither, and the equal ones."""
    losses: int
    split: int
    """Prompts whose votes have no majority; they count in the rate as their votes fell."""
    rate: Estimate | None
    """How often people prefer the tuned model, ties half: the mean over prompts of the mean of each one's votes. Equal
    answers have their part of it. None before the first vote."""
    verdict: Verdict
    """Whether the rate's interval leaves one half."""
    agreement: Agreement
    """Of the people among themselves."""
    protocol: str
    """The hash of the questions and guidelines they saw."""


def write_result(path: Path, found: HumanRound) -> Path:
    """Write a round as JSON, whole or not at all."""
    return write_json(path, TypeAdapter(HumanRound).dump_python(found, mode="json"))


def read_result(path: Path) -> HumanRound:
    """Read a round back. Raises UserError where the file is missing or is none of this version."""
    try:
        return TypeAdapter(HumanRound).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        raise UserError(f"{path} is no evaluation by people of this prefloop; pull it again") from error

"""How good one answer is: a rating by a rubric, or whether it meets a criterion.

The judge sees one answer at a time, so no order can matter. Ratings are MT-Bench's from 1 to 10 (Zheng et al. 2023,
arXiv 2306.05685, section 3.1) with the user's rubric in the place of theirs. What can't be read is None: unscored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...asking import Question, make_question
from ...collect.item import Message, content_hash
from ..mt_bench.verdicts import last_rating
from .judge import YES_NO, Judge, conversation, shown

Kind = Literal["rating", "criterion"]

RATING = """\
You rate an answer that an assistant gave to a user. Judge as an impartial expert.
What counts: {what}
Neither the answer's length nor its style of addressing you may count.
Explain your rating briefly. On the last line give it from 1 (worst) to 10 (best) in this form: Rating: [[5]]
"""
CRITERION = """\
You check an answer that an assistant gave to a user against one criterion, and nothing else.
[Criterion]
{what}

Explain briefly. On the last line write [[yes]] if the answer meets the criterion, [[no]] if it does not.
"""
TEMPLATES: dict[Kind, str] = {"rating": RATING, "criterion": CRITERION}

SHOWN = """\
[Conversation]
{conversation}

[Start of answer]
{answer}
[End of answer]"""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer to judge."""

    prompt_id: str
    prompt: tuple[Message, ...]
    answer: str
    model: str
    """Whose answer it is: kept in the file, not shown to the judge."""


def single_question(given: Given, kind: Kind, what: str, judge: Judge, *, max_tokens: int = 512) -> Question:
    """Return what the judge is asked about one answer.

    Args:
        given: The answer; what looks like a verdict in it is shown with spaces inside.
        kind: A rating, or one criterion.
        what: The rubric, or the criterion.
        judge: An endpoint, or a local model.
        max_tokens: The longest verdict.
    """
    template = TEMPLATES[kind]
    text = SHOWN.format(conversation=conversation(given.prompt), answer=shown(given.answer))
    messages = (Message("system", template.format(what=what)), Message("user", text))
    note = {
        "prompt_id": given.prompt_id,
        "model": given.model,
        "kind": kind,
        "what": what,
        "template": content_hash([template, SHOWN, what]),
    }
    return make_question(judge, messages, max_tokens=max_tokens, note=note)


def single_questions(
    answers: Sequence[Given], kind: Kind, what: str, judge: Judge, *, max_tokens: int = 512
) -> dict[tuple[str, str], Question]:
    """Return what the judge is asked, by model and prompt."""
    return {
        (given.model, given.prompt_id): single_question(given, kind, what, judge, max_tokens=max_tokens)
        for given in answers
    }


def read_single(text: str, kind: Kind) -> float | None:
    """Read the judge's last verdict: a rating from 1 to 10, or 1 for yes and 0 for no; None where there is none."""
    if kind == "rating":
        return last_rating(text)
    found = YES_NO.findall(text)
    return float(found[-1].lower() == "yes") if found else None

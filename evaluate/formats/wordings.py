"""The same multiple-choice question in several wordings, none of which changes what is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..general import Question

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
YES_NO = ({"yes", "no"}, {"true", "false"}, {"valid", "invalid"}, {"plausible", "implausible"})
"""Labels that say yes or no; the first of each pair is the one that says yes."""
AFFIRMS = {"yes", "true", "valid", "plausible"}

Answered = Literal["letters", "texts", "texts, unlisted"]
Case = Literal["as written", "upper", "lower"]


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to put a question."""

    name: str
    question: str = "Question:"
    answer: str = "Answer:"
    between: str = "\n"
    """Between the question, its choices, and where the answer goes."""
    answered: Answered = "letters"
    """Whether choices are listed and answered by their letter or their text, or not listed."""
    reverse: bool = False
    """Whether the choices stand in reversed order."""
    case: Case = "as written"
    """Of the words around the question, `Question:` and `Answer:`."""
    labels: tuple[str, str] | None = None
    """What stands for yes and no, where the choices say one of both."""
    chat: bool = False
    """Whether it is put into the chat template."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question in one wording."""

    context: str
    continuations: tuple[str, ...]
    order: tuple[int, ...]
    """Which of the question's choices each continuation is."""


REFERENCE = Wording("reference")
WORDINGS = (
    REFERENCE,
    Wording("Q: and A:", question="Q:", answer="A:"),
    Wording("capitals", case="upper"),
    Wording("small letters", case="lower"),
    Wording("one line", between=" "),
    Wording("empty lines", between="\n\n"),
    Wording("choices reversed", reverse=True),
    Wording("answered by text", answered="texts"),
    Wording("choices not listed", answered="texts, unlisted"),
    Wording("not listed, Q: and A:", answered="texts, unlisted", question="Q:", answer="A:"),
)
"""Each differs from the first in one thing, the last in two."""
LABEL_WORDINGS = (
    Wording("Yes and No", answered="texts", labels=("Yes", "No")),
    Wording("True and False", answered="texts", labels=("True", "False")),
    Wording("yes and no", answered="texts", labels=("yes", "no")),
)
"""Where every question is answered by yes or no, in whatever words."""


def wordings_for(questions: Sequence[Question], *, chat: bool) -> tuple[Wording, ...]:
    """Return the wordings that fit the questions; with a chat template the first one in it, too."""
    found: tuple[Wording, ...] = WORDINGS
    if all(_says_yes_or_no(question.choices) for question in questions):
        found += LABEL_WORDINGS
    if chat:
        found += (replace(REFERENCE, name="in the chat template", chat=True),)
    return found


def word(question: Question, wording: Wording) -> Prompt:
    """Put a question into a wording."""
    order = tuple(range(len(question.choices)))
    order = tuple(reversed(order)) if wording.reverse else order
    texts = [_label(question.choices[index], wording) for index in order]
    lines = [f"{_cased(wording.question, wording)} {question.question}"]
    if wording.answered == "letters":
        lines += [f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False)]
    elif wording.answered == "texts":
        lines.append(f"{_cased('Choices:', wording)} {', '.join(texts)}")
    said = LETTERS[: len(texts)] if wording.answered == "letters" else texts
    context = wording.between.join([*lines, _cased(wording.answer, wording)])
    return Prompt(context, tuple(f" {one}" for one in said), order)


def _cased(text: str, wording: Wording) -> str:
    return {"as written": text, "upper": text.upper(), "lower": text.lower()}[wording.case]


def _says_yes_or_no(choices: Sequence[str]) -> bool:
    return {choice.strip().lower() for choice in choices} in YES_NO and len(choices) == 2


def _label(choice: str, wording: Wording) -> str:
    if wording.labels is None:
        return choice
    return wording.labels[0] if choice.strip().lower() in AFFIRMS else wording.labels[1]

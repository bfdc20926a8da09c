"""Who judges: a model behind an endpoint, or one of this machine. Its words are kept, and read strictly."""

import re
from collections.abc import Sequence
from pathlib import Path

from ...asking import EndpointSettings, Question, Reply, answer_locally, ask
from ...collect.item import Message
from ...models import ModelFolder
from ...runs import Progress, silent
from ..mt_bench.hardening import defuse

Judge = EndpointSettings | ModelFolder

FRAME = re.compile(r"\[((?:Start|End) of answer(?: [AB])?|Conversation|Criterion)\]")
"""What our own prompts put around answers."""
YES_NO = re.compile(r"\[\[(yes|no)\]\]", re.IGNORECASE)


def put(questions: Sequence[Question], judge: Judge, store: Path, progress: Progress = silent) -> dict[str, Reply]:
    """Put questions to the judge, each only once (`asking.ask`, `asking.answer_locally`).

    Raises:
        UserError: the endpoint can't be used or the budget is used up; what came is in the store.
    """
    if isinstance(judge, EndpointSettings):
        return ask(questions, judge, store, progress)
    return answer_locally(questions, judge, store, progress)


def judge_name(judge: Judge) -> str:
    """Return the judge's name for tables and files."""
    return judge.model if isinstance(judge, EndpointSettings) else judge.name


def shown(answer: str) -> str:
    """Return an answer as a judge sees it: what imitates a verdict, or the prompt's frame, has spaces inside.

    An answer that imitates nothing is returned unchanged.
    """
    return YES_NO.sub(r"[[ \1 ]]", FRAME.sub(r"[ \1 ]", defuse(answer)))


def conversation(prompt: Sequence[Message]) -> str:
    """Return the prompt as text."""
    return "\n\n".join(f"{message.role}: {message.content}" for message in prompt)

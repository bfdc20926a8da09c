"""Answers that speak in the judge's place, and judgments that may have been misread because of it.

Three things are done, none of which changes a FastChat number. Only the judge's own text is ever parsed. `audit` flags
answers that hold a verdict or imitate the prompt's frame, and judgments where FastChat's first verdict is not the last
one. And whoever wants numbers that a quotation can't move reads strictly (`read_strictly`), and has the judge see
such answers defused (`defuse`); answers without a pattern stay as they are to the byte.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from .judgments import PairJudgment, SingleJudgment
from .prompts import JudgePrompt, find_answers
from .questions import QuestionId, Turn
from .verdicts import (
    NUMBER,
    last_pair_verdict,
    last_rating,
    parse_pair_verdict,
    parse_rating,
    parse_score_pair,
)

Imitation = Literal["verdict", "frame"]
Suspicion = Literal[
    "the answer holds a verdict",
    "the answer imitates the prompt's frame",
    "the strict reading differs",
    "the record is not what FastChat reads",
    "the prompt isn't recognised",
]

NOT_RECOGNISED: Suspicion = "the prompt isn't recognised"

VERDICT = re.compile(rf"\[\[([ABC]|rating|{NUMBER}(?:,\s?{NUMBER})?)\]\]")
"""What a judge is asked to end with, double brackets only: single ones stand in too much honest code."""
FRAME = re.compile(
    r"(?P<open>\[|<\|)(?P<words>The (?:Start|End) of (?:the )?(?:Reference|Assistant)[^\]|\n]*)(?P<close>\]|\|>)"
    r"|^(?P<head>\[)(?P<title>User Question|Instruction|Question)(?P<tail>\])$",
    re.MULTILINE,
)
HEADING = re.compile(r"^(?=### (?:User|Assistant A|Assistant B|Reference answer):)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to look at."""

    question_id: QuestionId
    turn: Turn
    models: tuple[str, ...]
    """Whose answer it is; both models where the judgment as a whole is meant."""
    judge: str
    what: Suspicion


def find_impersonation(answer: str) -> tuple[Imitation, ...]:
    """Return in what ways an answer speaks as the judge or as the judge's prompt; empty where it doesn't."""
    found: list[Imitation] = []
    if VERDICT.search(answer):
        found.append("verdict")
    if FRAME.search(answer) or HEADING.search(answer):
        found.append("frame")
    return tuple(found)


def defuse(answer: str) -> str:
    r"""Return the answer with spaces inside what imitates a verdict or the frame: `[[A]]` becomes `[[ A ]]`.

    A judge still sees what was written, but quoting it gives no verdict. An answer that imitates nothing is returned
    unchanged.
    """
    spaced = VERDICT.sub(r"[[ \1 ]]", answer)
    spaced = FRAME.sub(lambda found: " ".join(part for part in found.groups() if part), spaced)
    return HEADING.sub(r"\\", spaced)


Judgment = TypeVar("Judgment", SingleJudgment, PairJudgment)


def read_strictly(judgment: Judgment) -> Judgment:
    """Return the judgment with the judge's last verdict in double brackets in the place of the recorded one.

    A rating off the scale of 1 to 10 is unscored. Tables of such judgments are made as of any others.
    """
    if isinstance(judgment, SingleJudgment):
        return replace(judgment, score=last_rating(judgment.text))
    first, second = last_pair_verdict(judgment.first_text), last_pair_verdict(judgment.second_text)
    return replace(judgment, first=first, second=second)


def audit(judgments: Iterable[SingleJudgment | PairJudgment], prompts: Mapping[str, JudgePrompt]) -> tuple[Flag, ...]:
    """Return everything suspicious; count it with `Counter(flag.what for flag in flags)`.

    Args:
        judgments: With the prompts that were sent: answers are looked for in them.
        prompts: From `read_judge_prompts`. Where the name isn't there or the sent prompt was another, the answers
            can't be looked at, and that is flagged.
    """
    flags: list[Flag] = []
    for judgment in judgments:
        flags += (
            _audit_single(judgment, prompts) if isinstance(judgment, SingleJudgment) else _audit_pair(judgment, prompts)
        )
    return tuple(flags)


def _audit_single(judgment: SingleJudgment, prompts: Mapping[str, JudgePrompt]) -> list[Flag]:
    read = parse_rating(judgment.text)
    doubts = _doubts(read != last_rating(judgment.text), read != judgment.score)
    answers = _find(prompts.get(judgment.prompt), judgment.user_prompt)
    doubts += [NOT_RECOGNISED] if answers is None else _imitations("\n".join(answers.values()))
    return [Flag(judgment.question_id, judgment.turn, (judgment.model,), judgment.judge, what) for what in doubts]


def _audit_pair(judgment: PairJudgment, prompts: Mapping[str, JudgePrompt]) -> list[Flag]:
    prompt = prompts.get(judgment.prompt)
    ratings = prompt is not None and prompt.output_format == "[[rating_a,rating_b]]"
    texts, both = (judgment.first_text, judgment.second_text), (judgment.model_1, judgment.model_2)
    read = [parse_score_pair(text) if ratings else parse_pair_verdict(text) for text in texts]
    strict = read if ratings else [last_pair_verdict(text) for text in texts]
    found: list[tuple[tuple[str, ...], Suspicion]] = [
        (both, what) for what in _doubts(read != strict, read != [judgment.first, judgment.second])
    ]
    # Both games show the same answers, so the first game's prompt is enough.
    answers = _find(prompt, judgment.first_user_prompt)
    if answers is None:
        found.append((both, NOT_RECOGNISED))
    elif any("frame" in find_impersonation(text) for text in answers.values()):
        # Where one answer ends and the other begins can no longer be told.
        found += [(both, what) for what in _imitations("\n".join(answers.values()))]
    else:
        for field, model in (("answer_a", judgment.model_1), ("answer_b", judgment.model_2)):
            own = "\n".join(text for name, text in answers.items() if name.startswith(field))
            found += [((model,), what) for what in _imitations(own)]
    return [Flag(judgment.question_id, judgment.turn, models, judgment.judge, what) for models, what in found]


def _doubts(differs: bool, misrecorded: bool) -> list[Suspicion]:
    found: list[Suspicion] = []
    if differs:
        found.append("the strict reading differs")
    if misrecorded:
        found.append("the record is not what FastChat reads")
    return found


def _find(prompt: JudgePrompt | None, user_prompt: str) -> dict[str, str] | None:
    return find_answers(prompt, user_prompt) if prompt else None


def _imitations(text: str) -> list[Suspicion]:
    names: dict[Imitation, Suspicion] = {
        "verdict": "the answer holds a verdict",
        "frame": "the answer imitates the prompt's frame",
    }
    return [names[what] for what in find_impersonation(text)]

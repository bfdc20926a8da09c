r"""Right answers, met exactly: facts and numbers that no style can stand in for.

An answer counts as what it states: the last `\boxed{...}`, else what follows the last "####", "answer is" or "answer:",
else the whole of it. It is right where that is one of the right answers after SQuAD's normalisation (Rajpurkar et al.
2016, arXiv 1606.05250: no case, punctuation or articles), or, for a number, the same number. Whether a right answer
merely stands somewhere in the text is not asked: an answer that names everything would always be right.
"""

import json
import re
import string
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import Problems, UserError
from ..estimate import LeftOut
from ..statistics import Plan, compare
from .compared import Compared
from .result import RightAnswers

BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
MARKER = re.compile(r"####|\banswers?\s*(?:is|are|:|\*\*:|:\*\*)[\s:]*", re.IGNORECASE)
NUMBER = re.compile(r"-?\$? ?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?: ?/ ?\d+)?|-?\.\d+")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
UNSAID = str.maketrans("", "", string.punctuation)


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt_id: str
    answer: str | int | float | tuple[str | int | float, ...]


def read_answers(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the right answers by prompt id; several lines for one prompt are equally right.

    Raises:
        UserError: the file is missing.
        Problems: lines that are not {"prompt_id", "answer"}, or an answer of nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the right answers can't be read: {path} ({error})") from error
    answers: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            row = _Line.model_validate_json(line)
        except ValidationError:
            problems.append(f'line {number}: expected {{"prompt_id": ..., "answer": ...}}, got {line[:80]!r}')
            continue
        given = row.answer if isinstance(row.answer, tuple) else (row.answer,)
        said = tuple(str(answer) for answer in given)
        if not said or not all(_normalised(answer) or _number(answer) is not None for answer in said):
            problems.append(f"line {number}: {json.dumps(row.answer)} is no answer")
        answers[row.prompt_id] = (*answers.get(row.prompt_id, ()), *said)
    if problems:
        raise Problems(f"{path} holds lines that name no right answer", problems)
    return answers


def stated_answer(text: str) -> str:
    """Return what an answer states, by the rule of this module."""
    if boxed := BOXED.findall(text):
        return str(boxed[-1]).strip()
    marked = list(MARKER.finditer(text))
    if not marked:
        return text.strip()
    lines = text[marked[-1].end() :].strip().split("\n")
    return lines[0].strip(" *`\"'")


def is_right(text: str, answers: Sequence[str]) -> bool:
    """Whether an answer states one of the right ones.

    A right number is compared with the first number stated after a marker, and without a marker with the last number of
    the text (lm-eval's flexible match for GSM8K).
    """
    stated = stated_answer(text)
    marked = stated != text.strip()
    return any(_same(stated, answer, first=marked) for answer in answers)


def measure_right(rows: Sequence[Compared], answers: Mapping[str, Sequence[str]], plan: Plan) -> RightAnswers | None:
    """Compare how often both models are right; None where not one prompt has a right answer."""
    known = [row for row in rows if row.prompt_id in answers]
    if not known:
        return None
    base, tuned = (
        [float(is_right(text, answers[row.prompt_id])) for text, row in zip(texts, known, strict=True)]
        for texts in ([row.base for row in known], [row.tuned for row in known])
    )
    missing = tuple(row.prompt_id for row in rows if row.prompt_id not in answers)
    return RightAnswers(
        rate=compare(base, tuned, [row.prompt_id for row in known], plan),
        left_out=(LeftOut("prompts without a known right answer", missing),) if missing else (),
    )


def _same(stated: str, answer: str, *, first: bool) -> bool:
    wanted = _number(answer)
    if wanted is None:
        return bool(_normalised(stated)) and _normalised(stated) == _normalised(answer)
    numbers = [number for found in NUMBER.findall(stated) if (number := _number(found)) is not None]
    return bool(numbers) and numbers[0 if first else -1] == wanted


def _normalised(text: str) -> str:
    return " ".join(ARTICLES.sub(" ", text.casefold().translate(UNSAID)).split())


def _number(text: str) -> Fraction | None:
    """Return the number that a text is (1,200, $5, 12.50, 3/4, 20%), its unit left away."""
    bare = text.strip().rstrip(".%").strip()
    if not NUMBER.fullmatch(bare):
        return None
    above, slash, below = bare.replace(",", "").replace("$", "").replace(" ", "").partition("/")
    try:
        return Fraction(above) / (Fraction(below) if slash else 1)
    except (ValueError, ZeroDivisionError):  # 1/0, or more digits than Python reads
        return None

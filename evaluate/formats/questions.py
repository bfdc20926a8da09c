"""Where the questions of a format audit come from: a file of them, or a benchmark in a mirror folder."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...collect.item import content_hash
from ...errors import Problems, UserError
from ...runs import read_lines
from ..estimate import LeftOut
from ..general import GeneralSettings, Question, read_general
from ..tasks.aggregate import FEWEST_CLUSTERS
from ..tasks.catalogue import resolve_name
from ..tasks.mirror import read_mirror
from .settings import FormatsSettings
from .wordings import LETTERS

OPTIONS = re.compile(r"\nOptions:\n", re.M)
LISTED = re.compile(r"^(?:\(([A-Z])\)|-) (.+)$", re.M)


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked in every wording."""

    name: str
    sha256: str
    questions: tuple[Question, ...]
    clusters: tuple[str, ...]
    """What each question belongs to: its part of the benchmark, or itself."""
    left_out: tuple[LeftOut, ...]


def read_questions(settings: FormatsSettings, scratch: Path) -> Questions:
    """Read the questions.

    Args:
        settings: Say where they are.
        scratch: A folder for the mirror's rows as they are read.

    Raises:
        UserError: there are none, or the file or folder isn't what the settings say.
    """
    if settings.benchmark is None:
        if settings.data.is_dir():
            raise UserError(f"{settings.data} is a folder: say which benchmark in it, such as arc")
        found = read_general(GeneralSettings(data=settings.data, limit=settings.limit))
        alone = tuple(f"question {number}" for number in range(len(found.questions)))
        return _fitting(found.name, list(found.questions), list(alone), [])
    return _of_mirror(settings, settings.benchmark, scratch)


def _of_mirror(settings: FormatsSettings, name: str, scratch: Path) -> Questions:
    (chosen,) = resolve_name(name)
    found = read_mirror(settings.data, chosen, scratch)
    if found.problems:
        raise Problems(f"{name} can't be audited", found.problems)
    questions, clusters, unread = [], [], []
    for task, data in found.data.items():
        rows = read_lines(Path(next(iter(data.files.values()))))
        for number, row in enumerate(rows[: settings.limit]):
            question = READ[name](row)
            if question is None:
                unread.append(f"{task} {number}")
                continue
            questions.append(question)
            clusters.append(task if len(found.data) >= FEWEST_CLUSTERS else f"{task} {number}")
    return _fitting(name, questions, clusters, unread)


def _fitting(name: str, questions: list[Question], clusters: list[str], unread: list[str]) -> Questions:
    many = [number for number, one in enumerate(questions) if len(one.choices) > len(LETTERS)]
    kept = [number for number in range(len(questions)) if number not in many]
    left_out = (
        LeftOut("questions whose choices can't be told from their text", tuple(unread)),
        LeftOut(f"questions with more than {len(LETTERS)} choices", tuple(map(str, many))),
    )
    if not kept:
        raise UserError(f"{name} holds no question whose choices can be worded anew")
    asked = tuple(questions[number] for number in kept)
    sha256 = content_hash([question.model_dump() for question in asked])
    return Questions(
        name, sha256, asked, tuple(clusters[number] for number in kept), tuple(one for one in left_out if one.ids)
    )


def _arc(row: Mapping[str, Any]) -> Question | None:
    labels = row["choices"]["label"]
    answer = labels.index(row["answerKey"]) if row["answerKey"] in labels else -1
    return _question(row["question"], row["choices"]["text"], answer)


def _hellaswag(row: Mapping[str, Any]) -> Question | None:
    text = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b']}".strip()
    return _question(f"How does this go on? {text}", row["endings"], int(row["label"]))


def _mmlu(row: Mapping[str, Any]) -> Question | None:
    return _question(row["question"], row["choices"], row["answer"])


def _musr(row: Mapping[str, Any]) -> Question | None:
    choices = ast.literal_eval(row["choices"])
    return _question(f"{row['narrative']}\n\n{row['question']}", choices, row["answer_index"])


def _bbh(row: Mapping[str, Any]) -> Question | None:
    """Take a task's options out of its text; True and False are not written there."""
    asked, _, options = OPTIONS.sub("\0", row["input"]).partition("\0")
    if row["target"] in {"True", "False"} and not options:
        return _question(f"Is this true or false? {asked}", ["True", "False"], row["target"] == "False")
    found = LISTED.findall(options)
    labels = [f"({letter})" if letter else text for letter, text in found]
    if row["target"] not in labels:
        return None
    return _question(asked, [text for _, text in found], labels.index(row["target"]))


def _question(question: str, choices: list[str], answer: int) -> Question | None:
    if not 0 <= answer < len(choices) or len(set(choices)) != len(choices):
        return None
    return Question(question=question, choices=tuple(choices), answer=int(answer))


READ: Mapping[str, Callable[[Mapping[str, Any]], Question | None]] = {
    "arc": _arc,
    "bbh": _bbh,
    "hellaswag": _hellaswag,
    "mmlu": _mmlu,
    "musr": _musr,
}
"""By benchmark: a question out of a row as the Hub has it; None where its choices can't be told."""

"""Which prompt a judge gets for a question, and its text, byte for byte as FastChat fills it in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, Field

from ...collect.item import content_hash
from ...errors import Problems
from .lines import read_rows
from .questions import Answer, Question, Turn

Mode = Literal["single", "pair"]

NEEDS_REFERENCE = frozenset({"math", "reasoning", "coding", "arena-hard-200"})
"""Categories that are judged beside a reference answer."""
ANSWER_TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
    "arena-hard-200": 0.0,
}
OTHER_TEMPERATURE = 0.7
JUDGE_TEMPERATURE = 0.0
JUDGE_MAX_TOKENS = 2048

REFERENCE_FIELDS = {"ref_answer_1", "ref_answer_2"}
FIELDS = {
    ("single", 1): {"question", "answer", "ref_answer_1"},
    ("single", 2): {"question_1", "question_2", "answer_1", "answer_2", *REFERENCE_FIELDS},
    ("pair", 1): {"question", "answer_a", "answer_b", "ref_answer_1"},
    ("pair", 2): {
        "question_1", "question_2", "answer_a_1", "answer_a_2", "answer_b_1", "answer_b_2", *REFERENCE_FIELDS,
    },
}  # fmt: skip
"""What a template may name, by mode and turn."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One line of `judge_prompts.jsonl`."""

    name: str
    mode: Mode
    system_prompt: str
    prompt_template: str
    output_format: str
    """How the judge shall end: `[[rating]]`, `[[A]]` or `[[rating_a,rating_b]]`."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What is put into the template, in its order."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.prompt_template) if name is not None)

    @property
    def fingerprint(self) -> str:
        """A hash of every word that the judge reads from the prompt."""
        return content_hash([self.system_prompt, self.prompt_template, self.output_format])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a judge is sent."""

    system: str
    user: str

    def messages(self) -> list[dict[str, str]]:
        """Return the chat; an empty system prompt is not sent."""
        chat = [{"role": "system", "content": self.system}] if self.system else []
        return [*chat, {"role": "user", "content": self.user}]


def answer_temperature(category: str) -> float:
    """Return the temperature at which models answer questions of a category; 0.7 where FastChat names none."""
    return ANSWER_TEMPERATURES.get(category, OTHER_TEMPERATURE)


def choose_prompt(category: str, mode: Mode, turn: Turn) -> str:
    """Return the name of the prompt that FastChat judges a category's answers with."""
    name = {"single": ("single-v1", "single-math-v1"), "pair": ("pair-v2", "pair-math-v1")}[mode]
    return name[category in NEEDS_REFERENCE] + ("-multi-turn" if turn == 2 else "")


def read_judge_prompts(path: Path) -> dict[str, JudgePrompt]:
    """Read a `judge_prompts.jsonl`, FastChat's or one's own, by name.

    Raises:
        UserError: the file can't be read or is empty.
        Problems: lines that are no prompts, names that come twice, fields that nothing is put into.
    """
    prompts: dict[str, JudgePrompt] = {}
    problems = []
    for number, row in read_rows(path, _PromptRow, "judge prompts"):
        if row.name in prompts:
            problems.append(f"line {number}: {row.name!r} comes twice")
        if problem := _template_problem(row.prompt_template, "pair" if row.type == "pairwise" else "single"):
            problems.append(f"line {number}: the template of {row.name!r} {problem}")
        mode: Mode = "pair" if row.type == "pairwise" else "single"
        prompts[row.name] = JudgePrompt(row.name, mode, row.system_prompt, row.prompt_template, row.output_format)
    if problems:
        raise Problems(f"{path} holds judge prompts that can't be used", problems)
    return prompts


def fill_single(
    prompt: JudgePrompt, question: Question, answer: Answer, *, turn: Turn, reference: Answer | None = None
) -> Asked:
    """Ask for a rating of one answer.

    Args:
        prompt: Of mode "single".
        question: With two turns if `turn` is 2.
        answer: To that question.
        turn: 2 shows both turns and asks about the second.
        reference: Needed by the prompts whose name has "math" in it, left unused by the others.

    Raises:
        ValueError: the prompt is for pairs, or something that the template names is missing.
    """
    answers = {"answer": answer} if turn == 1 else {"answer_": answer}
    return _fill(prompt, "single", question, answers, turn, reference)


def fill_pair(
    prompt: JudgePrompt,
    question: Question,
    answer_a: Answer,
    answer_b: Answer,
    *,
    turn: Turn,
    reference: Answer | None = None,
) -> Asked:
    """Ask which of two answers is better; the second game is the same call with the answers exchanged.

    The arguments, and when it raises, are as with `fill_single`.
    """
    answers = {"answer_a": answer_a, "answer_b": answer_b}
    return _fill(
        prompt,
        "pair",
        question,
        answers if turn == 1 else {f"{name}_": answer for name, answer in answers.items()},
        turn,
        reference,
    )


def find_answers(prompt: JudgePrompt, user_prompt: str) -> dict[str, str] | None:
    """Return what was put into the answer fields of a filled prompt, by field; None if the prompt is another.

    The system prompt may stand before it, as FastChat sends it to judges that take none.
    """
    user_prompt = user_prompt.removeprefix(f"[Instruction]\n{prompt.system_prompt}\n\n")
    pattern, seen = "", set[str]()
    for literal, name, _, _ in Formatter().parse(prompt.prompt_template):
        pattern += re.escape(literal)
        if name is not None:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
            seen.add(name)
    found = re.fullmatch(pattern, user_prompt, re.DOTALL)
    if found is None:
        return None
    return {name: text for name, text in found.groupdict().items() if name.startswith("answer")}


class _PromptRow(BaseModel):
    name: str = Field(min_length=1)
    type: Literal["single", "pairwise"]
    system_prompt: str
    prompt_template: str
    output_format: Literal["[[rating]]", "[[A]]", "[[rating_a,rating_b]]"]


def _template_problem(template: str, mode: Mode) -> str | None:
    try:
        named = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        return f"can't be filled in ({error}); write braces that stay as {{{{ and }}}}"
    if any(named <= FIELDS[mode, turn] for turn in (1, 2)):
        return None
    return f"names {', '.join(sorted(named))}; for {mode} prompts there are " + " or ".join(
        ", ".join(sorted(FIELDS[mode, turn])) for turn in (1, 2)
    )


def _fill(
    prompt: JudgePrompt,
    mode: Mode,
    question: Question,
    answers: Mapping[str, Answer],
    turn: Turn,
    reference: Answer | None,
) -> Asked:
    if prompt.mode != mode:
        raise ValueError(f"{prompt.name} is a {prompt.mode} prompt, and this is a {mode} question")
    shown = {"question": question.turns} if turn == 1 else {"question_": question.turns}
    shown |= {name: answer.turns for name, answer in answers.items()}
    texts: dict[str, str] = {}
    for name, turns in shown.items():
        if len(turns) < turn:
            raise ValueError(f"question {question.id} has no turn {turn} in {name.rstrip('_')}")
        texts |= {name: turns[0]} if turn == 1 else {f"{name}1": turns[0], f"{name}2": turns[1]}
    if reference is not None:
        texts |= {f"ref_answer_{number}": text for number, text in enumerate(reference.turns[:turn], 1)}
    if missing := sorted(set(prompt.fields) - set(texts)):
        raise ValueError(f"{prompt.name} needs {', '.join(missing)} for turn {turn} of question {question.id}")
    return Asked(prompt.system_prompt, prompt.prompt_template.format(**texts))

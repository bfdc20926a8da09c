"""Rows of a mirror's files, checked, and written as the rows of the Hub's data set that lm-eval's task expects.

Each benchmark takes the Hub's own columns; some take another form that the data are passed around in: LLM-Foundry's
{query, choices, gold}, BIG-Bench-Hard's examples, TruthfulQA's table. What is written gives lm-eval's own prompts.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, TypeAdapter

Row = dict[str, Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPTION = re.compile(r"\s*\(([A-J])\) ")


def _listed(value: object) -> object:
    """Read parquet's arrays as lists."""
    return list(value) if isinstance(value, tuple) else value


Texts = Annotated[list[str], BeforeValidator(_listed), Field(min_length=2)]


class _Foundry(BaseModel):
    query: str = Field(min_length=1)
    choices: Texts
    gold: int = Field(ge=0)
    category: str = ""


class _Labelled(BaseModel):
    text: Texts
    label: Texts


class _Arc(BaseModel):
    question: str = Field(min_length=1)
    choices: _Labelled
    answerKey: str


class _HellaSwag(BaseModel):
    activity_label: str
    ctx_a: str
    ctx_b: str
    endings: Texts
    label: int | str


class _Mmlu(BaseModel):
    question: str = Field(min_length=1)
    choices: Texts
    answer: int = Field(ge=0)
    subject: str


class _MmluPro(BaseModel):
    question: str = Field(min_length=1)
    options: Texts
    answer: str
    answer_index: int


class _Targets(BaseModel):
    choices: Texts
    labels: list[int]


class _TruthfulQA(BaseModel):
    question: str = Field(min_length=1)
    mc1_targets: _Targets
    mc2_targets: _Targets


class _TruthfulTable(BaseModel):
    question: str = Field(alias="Question", min_length=1)
    best: str = Field(alias="Best Answer", min_length=1)
    right: str = Field(alias="Correct Answers", min_length=1)
    wrong: str = Field(alias="Incorrect Answers", min_length=1)


class _Winogrande(BaseModel):
    sentence: str = Field(pattern="_")
    option1: str
    option2: str
    answer: str = Field(pattern="^[12]$")


class _Schema(BaseModel):
    context_options: list[str] = Field(min_length=2, max_length=2)
    continuation: str = Field(min_length=1)
    gold: int = Field(ge=0, le=1)


class _Gsm8k(BaseModel):
    question: str = Field(min_length=1)
    answer: str = Field(pattern="####")


class _Bbh(BaseModel):
    input: str = Field(min_length=1)
    target: str = Field(min_length=1)


class _Musr(BaseModel):
    narrative: str = Field(min_length=1)
    question: str = Field(min_length=1)
    choices: str = Field(min_length=2)
    answer_index: int = Field(ge=0)
    answer_choice: str


class _IfEval(BaseModel):
    key: int
    prompt: str = Field(min_length=1)
    instruction_id_list: list[str] = Field(min_length=1)
    given: list[dict[str, Any]] = Field(validation_alias=AliasChoices("kwargs"))


class _Gpqa(BaseModel):
    question: str = Field(alias="Question", min_length=1)
    correct: str = Field(alias="Correct Answer")
    one: str = Field(alias="Incorrect Answer 1")
    two: str = Field(alias="Incorrect Answer 2")
    three: str = Field(alias="Incorrect Answer 3")


class _Math(BaseModel):
    problem: str = Field(min_length=1)
    solution: str = Field(min_length=1)
    level: str


def _arc(row: Row) -> Row:
    if "query" not in row:
        return _Arc.model_validate(row).model_dump()
    found = _foundry(row)
    text = {"text": found.choices, "label": list(LETTERS[: len(found.choices)])}
    return {
        "question": found.query.removeprefix("Question: "), "choices": text, "answerKey": LETTERS[found.gold],
    }  # fmt: skip


def _hellaswag(row: Row) -> Row:
    if "query" not in row:
        return _HellaSwag.model_validate(row).model_dump() | {"label": str(row["label"])}
    found = _foundry(row)
    label, _, context = found.query.partition(": ")
    return {
        "activity_label": label, "ctx_a": context, "ctx_b": "", "endings": found.choices, "label": str(found.gold),
    }  # fmt: skip


def _mmlu(row: Row) -> Row:
    if "query" not in row:
        return _Mmlu.model_validate(row).model_dump()
    found = _foundry(row)
    question, *rest = OPTION.split(found.query.removeprefix("Question: ").rstrip("\n"))
    letters, texts = rest[0::2], [text.strip() for text in rest[1::2]]
    if letters != list(LETTERS[: len(found.choices)]) or not all(texts):
        raise ValueError("query lists no options (A) to (D), one of each, after the question")
    return {"question": question, "choices": texts, "answer": found.gold, "subject": found.category}


def _truthfulqa(row: Row) -> Row:
    if "Question" not in row:
        return _TruthfulQA.model_validate(row).model_dump()
    found = _TruthfulTable.model_validate(row)
    right, wrong = _answers(found.right), _answers(found.wrong)
    if not right or not wrong:
        raise ValueError("no right or no wrong answer")
    first = {"choices": [_stopped(found.best), *wrong], "labels": [1, *[0] * len(wrong)]}
    second = {"choices": [*right, *wrong], "labels": [*[1] * len(right), *[0] * len(wrong)]}
    return {"question": found.question, "mc1_targets": first, "mc2_targets": second}


def _winogrande(row: Row) -> Row:
    if "context_options" not in row:
        return _Winogrande.model_validate(row).model_dump()
    found = _Schema.model_validate(row)
    one, two = found.context_options
    # The gap stands for all that comes before it: lm-eval then asks for the same texts as with the original sentence.
    return {"sentence": f"_ {found.continuation}", "option1": one, "option2": two, "answer": str(found.gold + 1)}


def _gpqa(row: Row) -> Row:
    return _Gpqa.model_validate(row).model_dump(by_alias=True)


def _ifeval(row: Row) -> Row:
    found = _IfEval.model_validate(row)
    if len(found.given) != len(found.instruction_id_list):
        raise ValueError(f"{len(found.instruction_id_list)} instructions, but kwargs for {len(found.given)}")
    return found.model_dump(exclude={"given"}) | {"kwargs": found.given}


def _plain(model: type[BaseModel]) -> Callable[[Row], Row]:
    return lambda row: model.model_validate(row).model_dump()


CONVERT: Mapping[str, Callable[[Row], Row]] = {
    "ifeval": _ifeval,
    "bbh": _plain(_Bbh),
    "math": _plain(_Math),
    "gpqa": _gpqa,
    "musr": _plain(_Musr),
    "mmlu_pro": _plain(_MmluPro),
    "arc": _arc,
    "hellaswag": _hellaswag,
    "mmlu": _mmlu,
    "truthfulqa": _truthfulqa,
    "winogrande": _winogrande,
    "gsm8k": _plain(_Gsm8k),
}
"""By a source's name: checks a row and returns it with the columns of the Hub's data; ValueError if it is no row."""


def _foundry(row: Row) -> _Foundry:
    found = TypeAdapter(_Foundry).validate_python(row)
    if found.gold >= len(found.choices):
        raise ValueError(f"gold {found.gold} is no index into {len(found.choices)} choices")
    return found


def _answers(cell: str) -> list[str]:
    """Split TruthfulQA's cells as its authors do: at semicolons, each answer ending in a full stop."""
    return [_stopped(text.strip()) for text in cell.split(";") if text.strip()]


def _stopped(text: str) -> str:
    return text if text.endswith(".") else f"{text}."

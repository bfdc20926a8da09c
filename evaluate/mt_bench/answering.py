"""Both models' answers, turn by turn, kept on disk batch by batch: a killed run goes on where it stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...asking.generate import Answer as Written
from ...asking.generate import GenerateSettings, generate_batches, prompt_ids
from ...collect.item import Message, prompt_rows
from ...runs import append_line, read_lines, write_lines
from ..measured import Measuring
from ..subject import Who
from .prompts import answer_temperature
from .questions import Answer, Question, QuestionId
from .settings import MtBenchSettings

Prompts = dict[QuestionId, tuple[Message, ...]]


@dataclass(frozen=True, slots=True)
class Answered:
    """One model's answers."""

    model: str
    answers: dict[QuestionId, Answer]
    """With one turn where the second had no room."""
    no_room: tuple[str, ...]
    """Turns that left no room for an answer in the model's context: `question 81, turn 2`."""
    cut: int
    """Turns that ran into max_new_tokens."""


def answer_all(
    measuring: Measuring,
    who: Who,
    model: str,
    questions: Sequence[Question],
    settings: MtBenchSettings,
    advance: Callable[[int], None],
) -> Answered:
    """Let one model answer every turn at its category's temperature; the second turn sees the model's own first answer.

    Args:
        measuring: The model or both; rows are kept in its folder.
        who: Which of its two models.
        model: Its name, for files and tables.
        questions: What to ask.
        settings: How long answers may be, and the seed.
        advance: Called with how many turns have just become known.
    """
    prompts: Prompts = {question.id: (Message("user", question.turns[0]),) for question in questions}
    temperatures = {question.id: answer_temperature(question.category) for question in questions}
    first = _answer_turn(measuring, who, 1, prompts, temperatures, settings, advance)
    second_prompts = {
        question.id: (
            *prompts[question.id],
            Message("assistant", first[question.id].text),
            Message("user", question.turns[1]),
        )
        for question in questions
        if 2 in question.judged_turns and question.id in first
    }
    second = _answer_turn(measuring, who, 2, second_prompts, temperatures, settings, advance)
    asked = [(question.id, turn) for question in questions for turn in question.judged_turns]
    lost = [(name, turn) for name, turn in asked if name not in (first if turn == 1 else second)]
    return Answered(
        model,
        {
            name: Answer(name, model, (row.text, second[name].text) if name in second else (row.text,))
            for name, row in first.items()
        },
        tuple(f"question {name}, turn {turn}" for name, turn in lost),
        sum(row.finish == "length" for row in [*first.values(), *second.values()]),
    )


def write_answers(path: Path, answered: Answered) -> Path:
    """Write answers as FastChat does (without ids of answers and times), for its tools."""
    return write_lines(
        path,
        [
            {"question_id": name, "model_id": answer.model, "choices": [{"index": 0, "turns": list(answer.turns)}]}
            for name, answer in answered.answers.items()
        ],
    )


def _answer_turn(
    measuring: Measuring,
    who: Who,
    turn: int,
    prompts: Prompts,
    temperatures: Mapping[QuestionId, float],
    settings: MtBenchSettings,
    advance: Callable[[int], None],
) -> dict[QuestionId, Written]:
    found: dict[QuestionId, Written] = {}
    for temperature in sorted({temperatures[name] for name in prompts}):
        group = {name: prompt for name, prompt in prompts.items() if temperatures[name] == temperature}
        subject, room = measuring.subject, measuring.subject.context - settings.max_new_tokens
        fitting = {name: prompt for name, prompt in group.items() if len(prompt_ids(subject.tokenizer, prompt)) <= room}
        advance(len(group) - len(fitting))
        sampling = GenerateSettings(
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            temperature=temperature,
            seed=settings.seed + turn * 1_000_003,
        )
        found |= _generate(measuring, who, fitting, sampling, advance)
    return {name: found[name] for name in prompts if name in found}


def _generate(
    measuring: Measuring, who: Who, prompts: Prompts, sampling: GenerateSettings, advance: Callable[[int], None]
) -> dict[QuestionId, Written]:
    path, names = measuring.folder / "answers.jsonl", list(prompts)
    asked = [[name, prompt_rows(prompt)] for name, prompt in prompts.items()]
    key, subject = measuring.key(who, "mt-bench", sampling.model_dump(), asked), measuring.subject
    rows: list[dict[str, Any]] = [row for row in read_lines(path) if row["key"] == key]
    known = {row["question_id"]: Written(row["text"], row["tokens"], row["finish"]) for row in rows}
    advance(len(known))
    done = {index for index, name in enumerate(names) if name in known}
    if len(done) == len(names):
        return known
    with subject.as_(who) as model:
        for batch in generate_batches(model, subject.tokenizer, list(prompts.values()), sampling, done=done):
            for index in batch.keys() - done:
                append_line(path, {"key": key, "who": who, "question_id": names[index], **asdict(batch[index])})
                known[names[index]] = batch[index]
            advance(len(batch.keys() - done))
    return known

"""What the judge is asked about both models' answers, and the judgments made of its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...asking import Question as Put
from ...asking import Reply, make_question
from ...collect.item import Message
from ...errors import UserError
from ..judges.judge import Judge, judge_name
from .answering import Answered
from .hardening import defuse
from .judgments import PairJudgment, SingleJudgment
from .prompts import (
    JUDGE_TEMPERATURE,
    NEEDS_REFERENCE,
    Asked,
    JudgePrompt,
    Mode,
    choose_prompt,
    fill_pair,
    fill_single,
    read_judge_prompts,
)
from .questions import Answer, Question, QuestionId, Turn, read_answers, read_questions
from .settings import MtBenchSettings
from .verdicts import last_pair_verdict, last_rating, parse_pair_verdict, parse_rating


@dataclass(frozen=True, slots=True)
class Material:
    """The files of a run, read and checked against each other before any model is loaded."""

    questions: tuple[Question, ...]
    prompts: dict[str, JudgePrompt]
    references: dict[QuestionId, Answer]


@dataclass(frozen=True, slots=True)
class SingleGame:
    """One rating to ask for."""

    question: Question
    turn: Turn
    model: str
    prompt: JudgePrompt
    asked: Asked
    put: Put


@dataclass(frozen=True, slots=True)
class PairGame:
    """Two games about the same answers."""

    question: Question
    turn: Turn
    model_1: str
    model_2: str
    prompt: JudgePrompt
    asked: tuple[Asked, Asked]
    put: tuple[Put, Put]


def read_material(settings: MtBenchSettings) -> Material:
    """Read questions, prompts and references.

    Raises:
        UserError: a file can't be read, or a prompt or reference that will be needed is missing.
    """
    questions = read_questions(settings.questions)[: settings.limit]
    prompts = read_judge_prompts(settings.prompts)
    references = read_answers(settings.references) if settings.references else {}
    modes: list[Mode] = ["single", "pair"] if settings.mode == "both" else [settings.mode]
    names = {
        choose_prompt(question.category, mode, turn)
        for question in questions
        for mode in modes
        for turn in question.judged_turns
    }
    if missing := sorted(names - set(prompts)):
        raise UserError(f"{settings.prompts} has no prompt {', '.join(missing)}, which these questions need")
    lost = [
        str(question.id)
        for question in questions
        if question.category in NEEDS_REFERENCE and question.id not in references
    ]
    if lost:
        raise UserError(
            f"{len(lost)} questions are judged beside a reference answer, and "
            f"{settings.references or 'no file of references'} has none for {', '.join(lost[:5])}; give `references`"
        )
    return Material(questions, prompts, references)


def single_games(material: Material, answered: Answered, judge: Judge, max_tokens: int) -> list[SingleGame]:
    """Return what to ask about one model's answers, turn by turn; answers are shown defused."""
    games = []
    for question, turn, prompt in _turns(material, "single", [answered]):
        answer, reference = _defused(answered.answers[question.id]), material.references.get(question.id)
        asked = fill_single(prompt, question, answer, turn=turn, reference=reference)
        note = _note(question, turn, prompt, {"mode": "single", "model": answered.model})
        put = _put(asked, judge, max_tokens, note)
        games.append(SingleGame(question, turn, answered.model, prompt, asked, put))
    return games


def pair_games(material: Material, ours: Answered, theirs: Answered, judge: Judge, max_tokens: int) -> list[PairGame]:
    """Return what to ask about two models' answers, each turn in both orders; `ours` is model_1."""
    games = []
    for question, turn, prompt in _turns(material, "pair", [ours, theirs]):
        answers, reference = [ours, theirs], material.references.get(question.id)
        asked, puts = [], []
        for first, second in (answers, answers[::-1]):
            a, b = (_defused(each.answers[question.id]) for each in (first, second))
            asked.append(fill_pair(prompt, question, a, b, turn=turn, reference=reference))
            note = _note(question, turn, prompt, {"mode": "pair", "order": [first.model, second.model]})
            puts.append(_put(asked[-1], judge, max_tokens, note))
        games.append(
            PairGame(question, turn, ours.model, theirs.model, prompt, (asked[0], asked[1]), (puts[0], puts[1]))
        )
    return games


def single_judgments(
    games: Sequence[SingleGame], replies: Mapping[str, Reply], judge: Judge, *, strictly: bool
) -> tuple[SingleJudgment, ...]:
    """Read the ratings: the judge's last one on the scale, or, not strictly, as FastChat does."""
    read = last_rating if strictly else parse_rating
    return tuple(
        SingleJudgment(
            question_id=game.question.id,
            model=game.model,
            judge=judge_name(judge),
            prompt=game.prompt.name,
            turn=game.turn,
            score=read(replies[game.put.key].text),
            text=replies[game.put.key].text,
            user_prompt=game.asked.user,
        )
        for game in games
    )


def pair_judgments(
    games: Sequence[PairGame], replies: Mapping[str, Reply], judge: Judge, *, strictly: bool
) -> tuple[PairJudgment, ...]:
    """Read the verdicts: the judge's last one, or, not strictly, as FastChat does."""
    read = last_pair_verdict if strictly else parse_pair_verdict
    found = []
    for game in games:
        first, second = (replies[put.key].text for put in game.put)
        found.append(
            PairJudgment(
                question_id=game.question.id,
                model_1=game.model_1,
                model_2=game.model_2,
                judge=judge_name(judge),
                prompt=game.prompt.name,
                turn=game.turn,
                first=read(first),
                second=read(second),
                first_text=first,
                second_text=second,
                first_user_prompt=game.asked[0].user,
                second_user_prompt=game.asked[1].user,
            )
        )
    return tuple(found)


def name_file(folder: Path, judge: Judge, mode: Mode) -> Path:
    """Return where FastChat's tools look for judgments of this judge."""
    name = judge_name(judge).rstrip("/").rpartition("/")[2]
    return folder / "model_judgment" / f"{name}_{mode}.jsonl"


def _turns(material: Material, mode: Mode, answered: Sequence[Answered]) -> list[tuple[Question, Turn, JudgePrompt]]:
    """Return the turns that all models have answered."""
    return [
        (question, turn, material.prompts[choose_prompt(question.category, mode, turn)])
        for question in material.questions
        for turn in question.judged_turns
        if all(question.id in each.answers and len(each.answers[question.id].turns) >= turn for each in answered)
    ]


def _defused(answer: Answer) -> Answer:
    return Answer(answer.question_id, answer.model, tuple(defuse(turn) for turn in answer.turns))


def _note(question: Question, turn: Turn, prompt: JudgePrompt, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "question_id": question.id,
        "turn": turn,
        "judge_prompt": prompt.name,
        "template": prompt.fingerprint,
        **more,
    }


def _put(asked: Asked, judge: Judge, max_tokens: int, note: dict[str, Any]) -> Put:
    messages = [Message("system", asked.system)] if asked.system else []
    return make_question(
        judge,
        [*messages, Message("user", asked.user)],
        max_tokens=max_tokens,
        temperature=JUDGE_TEMPERATURE,
        note=note,
    )

"""A run of MT-Bench: both models answer, a judge rates or compares, and the numbers come with intervals and counts."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...asking import CostEstimate, EndpointSettings, Question, Reply, estimate_cost
from ...errors import UserError
from ...models import resolve_model
from ...runs import Progress, read_lines, silent, write_lines
from ...train.adapter import is_whole
from ..estimate import LeftOut
from ..judges.judge import Judge, judge_name, put
from ..measured import Measuring
from ..subject import Subject
from .answering import Answered, answer_all, write_answers
from .hardening import audit
from .judging import (
    Material,
    PairGame,
    SingleGame,
    name_file,
    pair_games,
    pair_judgments,
    read_material,
    single_games,
    single_judgments,
)
from .judgments import PairJudgment, SingleJudgment
from .pairs import pair_table
from .result import ModelAnswers, MtBench, differences
from .scores import score_table
from .settings import MtBenchSettings

ANSWER = 4
"""About how long an answer takes beside a judgment, so that the progress grows evenly."""
STORE = "judge_replies.jsonl"


@dataclass(frozen=True, slots=True)
class _Games:
    single: list[SingleGame] = field(default_factory=list)
    pair: list[PairGame] = field(default_factory=list)

    @property
    def questions(self) -> list[Question]:
        """All that the judge is asked."""
        return [game.put for game in self.single] + [each for game in self.pair for each in game.put]


def unannounced(estimate: CostEstimate) -> None:
    """Say nothing of the cost."""


def run_mt_bench(
    subject: Subject,
    settings: MtBenchSettings,
    *,
    folder: Path,
    announce: Callable[[CostEstimate], None] = unannounced,
    progress: Progress = silent,
) -> MtBench:
    """Let the model, and with an adapter its base too, answer the questions, and have the answers judged.

    Answers, the judge's replies and the judgments stay in `folder`; called again, it goes on from there and asks
    nothing twice. Judgments and answers are also written as FastChat's tools read them (`model_judgment/`,
    `model_answer/`), with FastChat's reading of the verdicts.

    Args:
        subject: The base model with what was tuned from it; without, the base alone is measured, by ratings.
        settings: Questions, prompts, judge.
        folder: Of the run.
        announce: Called before the first question to the judge with what asking will cost; may raise to stop there.
        progress: Called with work done and work in all.

    Raises:
        UserError: a file, the adapter or the judge can't be used, or the budget doesn't last; what came is kept.
    """
    adapter = subject.adapter
    if adapter is None and settings.mode != "single":
        raise UserError(f"mode {settings.mode!r} compares a tuned model with its base: give an adapter, or mode single")
    material, judge = read_material(settings), _judge(settings)
    turns = sum(len(question.judged_turns) for question in material.questions)
    each = {"single": 2, "pair": 2, "both": 4}[settings.mode] if adapter else 1
    total = turns * (ANSWER * (2 if adapter else 1) + each)
    start = time.monotonic()
    answered = _answer(subject, material, settings, folder, lambda done: progress(ANSWER * done, total))
    answering, before = time.monotonic() - start, total - turns * each
    games = _games(answered, material, judge, settings)
    if isinstance(judge, EndpointSettings):
        announce(estimate_cost(games.questions, judge, folder / STORE))
    start = time.monotonic()
    replies = put(
        games.questions,
        judge,
        folder / STORE,
        lambda done, asked: progress(before + turns * each * done // max(asked, 1), total),
    )
    seconds = {"answers": round(answering, 1), "judge": round(time.monotonic() - start, 1)}
    _write_for_fastchat(folder, answered, games, replies, judge)
    return _result(answered, games, replies, material, judge, settings, folder, seconds)


def _judge(settings: MtBenchSettings) -> Judge:
    return settings.judge if settings.judge is not None else resolve_model(str(settings.local_judge))


def _answer(
    subject: Subject,
    material: Material,
    settings: MtBenchSettings,
    folder: Path,
    report: Callable[[int], None],
) -> list[Answered]:
    """Return the base's answers, and the tuned model's after them."""
    measuring, done = Measuring(subject, settings.batch_size, folder), [0]

    def advance(count: int) -> None:
        done[0] += count
        report(done[0])

    plain = Path(subject.base.name).name
    answered = [answer_all(measuring, "base", plain, material.questions, settings, advance)]
    if (adapter := subject.adapter) is not None:
        tuned = f"{plain}, all weights tuned" if is_whole(adapter) else f"{plain} + {adapter.name}"
        answered.append(answer_all(measuring, "tuned", tuned, material.questions, settings, advance))
    return answered


def _games(answered: Sequence[Answered], material: Material, judge: Judge, settings: MtBenchSettings) -> _Games:
    games, longest = _Games(), settings.judge_max_tokens
    if settings.mode != "pair":
        for each in answered:
            games.single.extend(single_games(material, each, judge, longest))
    if settings.mode != "single":
        games.pair.extend(pair_games(material, answered[1], answered[0], judge, longest))
    if not games.questions:
        raise UserError(
            f"not one of {len(material.questions)} questions leaves room for an answer of {settings.max_new_tokens} "
            "tokens in the model's context: lower max_new_tokens"
        )
    return games


def _write_for_fastchat(
    folder: Path, answered: Sequence[Answered], games: _Games, replies: dict[str, Reply], judge: Judge
) -> None:
    for each in answered:
        write_answers(folder / "model_answer" / f"{each.model}.jsonl", each)
    now = time.time()
    for mode, judgments in (
        ("single", single_judgments(games.single, replies, judge, strictly=False)),
        ("pair", pair_judgments(games.pair, replies, judge, strictly=False)),
    ):
        if judgments:
            path = name_file(folder, judge, "single" if mode == "single" else "pair")
            write_lines(path, [{**judgment.row(), "tstamp": now} for judgment in judgments])


def _result(
    answered: Sequence[Answered],
    games: _Games,
    replies: dict[str, Reply],
    material: Material,
    judge: Judge,
    settings: MtBenchSettings,
    folder: Path,
    seconds: dict[str, float],
) -> MtBench:
    base, tuned = answered[0].model, answered[1].model if len(answered) > 1 else None
    ratings = single_judgments(games.single, replies, judge, strictly=True)
    verdicts = pair_judgments(games.pair, replies, judge, strictly=True)
    plain = single_judgments(games.single, replies, judge, strictly=False)
    flags = audit([*plain, *pair_judgments(games.pair, replies, judge, strictly=False)], material.prompts)
    used = {game.prompt.name: game.prompt.fingerprint for game in games.single}
    used |= {game.prompt.name: game.prompt.fingerprint for game in games.pair}
    asked = [replies[question.key] for question in games.questions]
    revisions = {row["revision"] for row in read_lines(folder / STORE) if row["key"] in replies and row["revision"]}
    questions = material.questions
    return MtBench(
        judge=judge_name(judge),
        judge_revisions=tuple(sorted(revisions)),
        base=base,
        tuned=tuned,
        questions=len(questions),
        models=tuple(
            ModelAnswers(each.model, sum(len(answer.turns) for answer in each.answers.values()), each.cut)
            for each in answered
        ),
        scores=score_table(ratings, questions),
        fastchat_scores=score_table(plain, questions),
        differences=differences(ratings, questions, tuned=tuned, base=base) if tuned and ratings else (),
        pairs=pair_table(verdicts, questions, baseline=base) if verdicts else (),
        left_out=_left_out(answered, ratings, verdicts),
        suspicions=tuple(sorted(Counter(flag.what for flag in flags).items())),
        asked=len(asked),
        input_tokens=_total([reply.input_tokens for reply in asked]),
        output_tokens=_total([reply.output_tokens for reply in asked]),
        price=None if any(reply.price is None for reply in asked) else sum(reply.price or 0.0 for reply in asked),
        prompts=dict(sorted(used.items())),
        settings=settings.model_dump(mode="json"),
        seconds=seconds,
    )


def _left_out(
    answered: Sequence[Answered], ratings: Sequence[SingleJudgment], verdicts: Sequence[PairJudgment]
) -> tuple[LeftOut, ...]:
    entries = [LeftOut(f"turns without room for an answer of {each.model}", each.no_room) for each in answered]
    for each in answered:
        lost = [row for row in ratings if row.model == each.model and row.score is None]
        entries.append(LeftOut(f"answers of {each.model} that the judge gave no readable rating", _ids(lost)))
    torn = [row for row in verdicts if row.winner is None]
    entries.append(LeftOut("pairs on which the judge gave no readable verdict", _ids(torn)))
    return tuple(entry for entry in entries if entry.ids)


def _ids(judgments: Sequence[SingleJudgment] | Sequence[PairJudgment]) -> tuple[str, ...]:
    return tuple(f"question {each.question_id}, turn {each.turn}" for each in judgments)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None

"""Every two candidates' answers before a judge, in both orders, and all candidates on one scale.

The judge is the house's (`evaluate.judges`): a verdict counts where both orders agree, otherwise it is a tie; what
can't be read is unscored and counted. The scale is Bradley and Terry's (`evaluate.win_rate`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ...asking import CostEstimate, EndpointSettings, Question, estimate_cost
from ...errors import UserError
from ...evaluate.estimate import LeftOut
from ...evaluate.judges import Duel, Judge, Outcome, judge_name, judge_pairs, pair_questions, put
from ...evaluate.judges.pairs import INSTRUCTIONS
from ...evaluate.win_rate import Battle, bradley_terry
from ...models import ModelFolder, resolve_model
from ...runs import Progress, silent
from .answering import Answers
from .candidates import Candidate
from .endpoints import is_endpoint, read_endpoint
from .examples import Example
from .ranking import Pairs, Ranking, rank
from .settings import TryOutSettings

VERDICTS = "verdicts.jsonl"
POINTS: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "inconsistent": 0.5, "loss": 0.0}

Announce = Callable[[CostEstimate], None]


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Who judges, and by what."""

    judge: Judge
    instructions: str = INSTRUCTIONS
    """What makes an answer better for this job."""
    max_tokens: int = 512
    """The longest verdict."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge said."""

    judge: str
    ranking: Ranking | None
    """None where fewer than two examples got a verdict."""
    verdicts: dict[str, dict[str, Outcome]]
    """By `first|second` candidate and example: the second against the first."""
    price: float | None
    """In the currency of the prices; None where there are none."""
    left_out: tuple[LeftOut, ...]
    caveats: tuple[str, ...]


def judge_all(
    candidates: Sequence[Candidate],
    examples: Sequence[Example],
    answers: Answers,
    by: JudgeSettings,
    settings: TryOutSettings,
    folder: Path,
    *,
    announce: Announce | None = None,
    progress: Progress = silent,
) -> Judged:
    """Ask the judge about every two candidates on every example, in both orders, and rank.

    Raises:
        UserError: the endpoint can't be used, or the budget is used up; what came is kept, and is not asked again.
    """
    store = folder / VERDICTS
    duels = {
        (a.name, b.name): [_duel(example, answers, a.name, b.name) for example in examples]
        for a, b in combinations(candidates, 2)
    }
    questions = list(_questions(duels, by).values())
    if announce is not None and isinstance(by.judge, EndpointSettings):
        announce(estimate_cost(questions, by.judge, store))
    replies = put(questions, by.judge, store, progress)
    outcomes = {
        pair: judge_pairs(each, by.judge, store, instructions=by.instructions, max_tokens=by.max_tokens)
        for pair, each in duels.items()
    }
    prices = [replies[question.key].price for question in questions]
    known = [price for price in prices if price is not None]
    return Judged(
        judge=judge_name(by.judge),
        ranking=_rank(outcomes, examples, settings),
        verdicts={f"{a}|{b}": each for (a, b), each in outcomes.items()},
        price=sum(known) if len(known) == len(prices) else None,
        left_out=_unscored(outcomes),
        caveats=tuple(_caveats(candidates, by.judge, outcomes)),
    )


def _duel(example: Example, answers: Answers, first: str, second: str) -> Duel:
    return Duel(
        example.id, example.prompt, answers.replies[first][example.id].text, answers.replies[second][example.id].text
    )


def _questions(duels: Mapping[tuple[str, str], Sequence[Duel]], by: JudgeSettings) -> dict[str, Question]:
    """Return each question once: where two candidates said the same, a third one's duels with them are the same."""
    return {
        question.key: question
        for each in duels.values()
        for question in pair_questions(each, by.judge, instructions=by.instructions, max_tokens=by.max_tokens).values()
    }


def _rank(
    outcomes: Mapping[tuple[str, str], Mapping[str, Outcome]], examples: Sequence[Example], settings: TryOutSettings
) -> Ranking | None:
    groups = {example.id: example.group for example in examples}
    pairs: Pairs = {
        pair: {name: (1 - POINTS[said], POINTS[said]) for name, said in each.items() if said != "unscored"}
        for pair, each in outcomes.items()
    }
    ranking = rank("judged", _shares(pairs), groups, settings, pairs=pairs)
    if ranking is None:
        return None
    battles = [
        Battle(a, b, ours, question=groups[name]) for (a, b), each in pairs.items() for name, (ours, _) in each.items()
    ]
    if len({battle.question for battle in battles}) < 2:
        return ranking
    rated = {one.model: one for one in bradley_terry(battles, seed=settings.seed).ratings}
    rows = tuple(
        replace(row, rating=rated[row.name].value, rating_low=rated[row.name].low, rating_high=rated[row.name].high)
        for row in ranking.rows
    )
    return replace(ranking, rows=rows)


def _shares(pairs: Pairs) -> dict[str, dict[str, float]]:
    """Return each candidate's mean points over the others, on the examples where every duel was scored."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    scored = [set(each) for each in pairs.values()]
    whole = [name for name in next(iter(pairs.values()), {}) if all(name in each for each in scored)]
    return {
        name: {
            example: sum(each[example][pair.index(name)] for pair, each in pairs.items() if name in pair)
            / (len(names) - 1)
            for example in whole
        }
        for name in names
    }


def _unscored(outcomes: Mapping[tuple[str, str], Mapping[str, Outcome]]) -> tuple[LeftOut, ...]:
    lost = tuple(
        f"{a} and {b}: {name}" for (a, b), each in outcomes.items() for name, said in each.items() if said == "unscored"
    )
    return (LeftOut("the judge gave no readable verdict in both orders", lost),) if lost else ()


def _caveats(
    candidates: Sequence[Candidate], judge: Judge, outcomes: Mapping[tuple[str, str], Mapping[str, Outcome]]
) -> list[str]:
    said = [outcome for each in outcomes.values() for outcome in each.values()]
    found = []
    for one in candidates:
        if isinstance(judge, ModelFolder):
            same = judge.sha256 in {one.sha256, one.model.sha256 if one.model is not None else None}
        else:
            same = one.endpoint is not None and one.endpoint.model == judge.model
        if same:
            found.append(f"The judge is {one.name} itself or its base: judges favour their own answers.")
    split, whole = said.count("inconsistent"), len([each for each in said if each != "unscored"])
    if split > whole / 2:
        found.append(
            f"The judge changed its mind with the order in {split} of {whole} verdicts, which count as ties: it can "
            "hardly tell these answers apart."
        )
    return found


def find_judge(text: str, prices: Mapping[str, object]) -> Judge:
    """Find the judge that the user named: a model of this machine or the Hub, or an endpoint with its prices.

    Raises:
        UserError: it is none, or prices are given for a model of this machine.
    """
    if not is_endpoint(text):
        if prices:
            raise UserError(f"prices, budget and key are an endpoint's, but the judge {text} runs on this machine")
        return resolve_model(text)
    return read_endpoint(text, prices)

import random

import pytest
from prefloop.collect.item import Message
from prefloop.collect.pair import PreferencePair
from prefloop.evaluate.check import measure_check
from prefloop.evaluate.estimate import LeftOut, ModelIdentity, WinRate
from prefloop.evaluate.likelihood import PairScore, Scored
from prefloop.evaluate.parts import Example, General, HowMade, Lengths, SealedSet
from prefloop.evaluate.preference import measure_preference
from prefloop.evaluate.report import Report
from prefloop.evaluate.statistics import Plan, compare, estimate_mean, estimate_share
from prefloop.evaluate.words import caveats, summarise

PLAN = Plan(samples=2000)


def make_pair(number: int, *, tags: tuple[str, ...] = (), weight: float = 1.0) -> PreferencePair:
    prompt = (Message("user", f"Question {number}"),)
    return PreferencePair(
        prompt, f"good {number}", f"bad {number}", weight, f"item{number}", (f"vote{number}",), tags=tags
    )


def make_scores(count: int, *, shift: float = 0.0, seed: int = 0) -> list[PairScore]:
    draw = random.Random(seed)
    return [
        PairScore(
            Scored(-draw.uniform(20, 60) + shift, draw.randint(10, 40)),
            Scored(-draw.uniform(20, 60) - shift, draw.randint(10, 40)),
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="session")
def report() -> Report:
    pairs = [make_pair(number, tags=("form",) if number % 2 else ("substance",)) for number in range(30)]
    preference = measure_preference(pairs, make_scores(30), make_scores(30, shift=8.0), PLAN)
    ids = [pair.prompt_id for pair in pairs]
    marks = [{name: {"shape": good, "finished": True} for name in ids} for good in (False, True)]
    check = measure_check(*marks, PLAN)
    base, tuned = tuple(range(40, 70)), tuple(range(10, 40))
    changes = [after - before for before, after in zip(base, tuned, strict=True)]
    lengths = Lengths(base, tuned, estimate_mean(changes, ids, PLAN), 3, 0)
    wins = WinRate("check", estimate_share([1.0] * 30, ids, PLAN), 30, 0, 0, 0, 0)
    general = General("everyday.jsonl", "ab" * 32, compare([1.0, 0.0] * 15, [1.0, 0.0] * 15, ids, PLAN))
    sealed = SealedSet(30, 30, "cd" * 32, 1)
    left_out = (LeftOut("pairs that are in the sealed set twice", ("a1", "b2")),)
    return Report(
        verdict=preference.normalised.verdict,
        summary=summarise(preference, sealed),
        caveats=caveats(preference, sealed, lengths, check, wins, general, left_out),
        base=ModelIdentity("small/base", "main", "12" * 32),
        tuned=ModelIdentity("small/base + adapter", "local", "34" * 32),
        sealed=sealed,
        preference=preference,
        lengths=lengths,
        check=check,
        win_rate=wins,
        general=general,
        examples=(
            Example(ids[0], pairs[0].prompt, "<script>alert('base')</script>", "<img src=x> & tuned", ("form",)),
        ),
        left_out=left_out,
        how=HowMade({"prefloop": "0"}, {"max_new_tokens": 64, "confidence": 0.95}, 0, {"answers": 1.5}, "2026-01-01"),
    )

import random

import pytest
from prefloop.collect.item import Message
from prefloop.collect.pair import PreferencePair
from prefloop.evaluate.likelihood import PairScore, Scored
from prefloop.evaluate.preference import half_point, measure_preference, normalised, reward_margins, summed
from prefloop.evaluate.statistics import Plan

PLAN = Plan(samples=1000)


def pair(number: int, *, tags: tuple[str, ...] = (), weight: float = 1.0) -> PreferencePair:
    prompt = (Message("user", f"Question {number}"),)
    return PreferencePair(
        prompt, f"good {number}", f"bad {number}", weight, f"item{number}", (f"vote{number}",), tags=tags
    )


def scores(count: int, *, seed: int) -> list[PairScore]:
    draw = random.Random(seed)

    def one() -> Scored:
        return Scored(-draw.uniform(20, 60), draw.randint(10, 40))

    return [PairScore(one(), one()) for _ in range(count)]


def swapped(rows: list[PairScore]) -> list[PairScore]:
    return [PairScore(row.rejected, row.chosen) for row in rows]


def test_normalised_and_summed_disagree_where_length_decides() -> None:
    # -30 over 30 tokens is -1 a token; -20 over 10 is -2 a token.
    rows = [PairScore(Scored(-30.0, 30), Scored(-20.0, 10))]
    assert normalised(rows) == [1.0]
    assert summed(rows) == [0.0]


def test_an_equal_score_is_half_a_point_and_counted() -> None:
    assert (half_point(2.0, 1.0), half_point(1.0, 2.0), half_point(1.0, 1.0)) == (1.0, 0.0, 0.5)
    same = [PairScore(Scored(-10.0, 10), Scored(-10.0, 10))] * 4
    found = measure_preference([pair(number) for number in range(4)], same, same, PLAN)
    assert found.normalised.tuned.value == 0.5
    assert found.ties == {"normalised base": 4, "normalised tuned": 4, "reward": 4, "length": 4}


def test_implicit_reward_margin_by_hand() -> None:
    # chosen rose by 3, rejected fell by 2: 3 - (-2) = 5
    before = [PairScore(Scored(-30.0, 10), Scored(-20.0, 10))]
    after = [PairScore(Scored(-27.0, 10), Scored(-22.0, 10))]
    assert reward_margins(before, after) == [5.0]


def test_every_accuracy_flips_when_the_answers_are_swapped() -> None:
    pairs = [pair(number) for number in range(40)]
    base, tuned = scores(40, seed=1), scores(40, seed=2)
    one = measure_preference(pairs, base, tuned, PLAN)
    two = measure_preference(pairs, swapped(base), swapped(tuned), PLAN)
    assert two.normalised.base.value == pytest.approx(1 - one.normalised.base.value)
    assert two.normalised.tuned.value == pytest.approx(1 - one.normalised.tuned.value)
    assert two.summed.tuned.value == pytest.approx(1 - one.summed.tuned.value)
    assert two.reward.value == pytest.approx(1 - one.reward.value)
    assert two.longer.value == pytest.approx(one.shorter.value)
    assert two.normalised.difference.value == pytest.approx(-one.normalised.difference.value)
    assert one.normalised.difference.value != 0


def test_a_model_that_only_knows_length_is_not_ahead_of_the_rule() -> None:
    # Chosen is longer in 30 of 40 pairs, and the tuned model prefers exactly the longer one.
    rows = [PairScore(Scored(-10.0, 30), Scored(-10.0, 10))] * 30 + [
        PairScore(Scored(-10.0, 10), Scored(-10.0, 30))
    ] * 10
    found = measure_preference([pair(number) for number in range(40)], rows, rows, PLAN)
    assert (found.best_rule, found.longer.value) == ("longer", 0.75)
    assert found.over_rule.value == 0
    assert found.over_rule.low < 0
    assert found.matched is None, "no pair has answers of equal length"


def test_matched_length_looks_at_those_pairs_alone() -> None:
    even = [PairScore(Scored(-10.0, 20), Scored(-20.0, 20))] * 10
    uneven = [PairScore(Scored(-50.0, 10), Scored(-50.0, 40))] * 30
    found = measure_preference([pair(number) for number in range(40)], even + uneven, even + uneven, PLAN)
    assert found.matched is not None
    assert (found.matched.tuned.n, found.matched.tuned.value) == (10, 1.0)
    assert found.normalised.tuned.value == 0.25


def test_slices_and_ceiling_come_from_the_pairs() -> None:
    pairs = [pair(number, tags=("form",) if number < 10 else ("substance",), weight=0.75) for number in range(20)]
    right = [PairScore(Scored(-1.0, 10), Scored(-2.0, 10))] * 10
    wrong = swapped(right)
    found = measure_preference(pairs, wrong + wrong, right + wrong, PLAN)
    assert {part.tag: part.accuracy.tuned.value for part in found.slices} == {"form": 1.0, "substance": 0.0}
    assert found.ceiling.value == 0.75

from dataclasses import replace
from itertools import repeat
from math import sqrt

import pytest
from prefloop.collect import Message, PreferencePair
from prefloop.evaluate.forecast import forecast


def pairs(count, each):
    prompts = [(Message("user", f"question {number}"),) for number in range(count)]
    rows = [PreferencePair(prompt, "a", "b", 1.0, "item", ("vote",)) for prompt in prompts for _ in repeat(None, each)]
    return [replace(row, chosen=f"answer {number}") for number, row in enumerate(rows)]


def test_it_goes_from_the_hopeful_case_to_the_careful_one():
    # 2.80 standard errors (Miller 2024, eq. 10) of 200 pairs at variance 0.25, and of 50 prompts at 0.5.
    least, most = 2.8016 * sqrt(0.25 / 200), 2.8016 * sqrt(0.5 / 50)
    assert forecast(pairs(50, 4), 0.95) == (
        f"200 sealed pairs on 50 prompts: they show a difference of {100 * least:.0f} to {100 * most:.0f} points "
        "in 80% of repetitions."
    )


@pytest.mark.parametrize(
    ("count", "each", "says"),
    [(0, 1, "nothing can be shown"), (1, 1, "no difference that there can be"), (2, 10, "points or more")],
)
def test_few_pairs_are_told_what_they_are_worth(count, each, says):
    assert says in forecast(pairs(count, each), 0.95)

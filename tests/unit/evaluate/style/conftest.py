import math
import random

import pytest
from prefloop.evaluate.style import Compared

KINDS = {"style": (0.0, 4.0), "substance": (0.8, 0.0), "both": (0.8, 4.0)}
"""Quality in logits, and what the judge pays for a whole difference in length."""


def simulate(kind: str, count: int = 300, seed: int = 0) -> list[Compared]:
    """Draw answers of known lengths and a judge of known taste; a model of style writes 1.6 times as much."""
    quality, taste = KINDS[kind]
    draw, rows = random.Random(seed), []
    for number in range(count):
        base = draw.randint(30, 120)
        tuned = max(5, int(base * math.exp(draw.gauss(0.5 if taste else 0.0, 0.4))))
        chance = 1 / (1 + math.exp(-quality - taste * (tuned - base) / (tuned + base)))
        rows.append(Compared(f"p{number}", "word " * base, "word " * tuned, float(draw.random() < chance)))
    return rows


@pytest.fixture(scope="session")
def simulated():
    return simulate

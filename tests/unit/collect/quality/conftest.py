"""Simulated annotators, each with one known habit."""

import random
import time

import pytest
from prefloop.collect import Item, Message, Origin, Vote

WRITER = Origin("person", "author")
FLIP = {"A": "B", "B": "A"}


def choose(kind, rng, truth, left, longer, late):
    """One annotator's choice; the honest are right in 88% and call one item in twenty a tie."""
    honest = "tie" if rng.random() < 0.05 else truth if rng.random() < 0.88 else FLIP[truth]
    habits = {
        "spammer": (1.0, rng.choice("AB")),
        "left-clicker": (0.9, left),
        "length-lover": (0.8, longer),
        "drifter": (float(late), rng.choice("AB")),
    }
    share, habit = habits.get(kind, (0.0, honest))
    return habit if rng.random() < share else honest


@pytest.fixture
def simulate():
    def make(people, n=240, seed=0, per_prompt=1):
        """Items and votes of `people`, by name: `honest` or the habit that they have."""
        rng = random.Random(seed)
        items, votes, clock = [], [], dict.fromkeys(people, 1.7e9)
        for number in range(n):
            a, b = ("word " * rng.randint(20, 80) + f"{side} {number}" for side in "ab")
            items.append(Item((Message("user", f"prompt {number // per_prompt}"),), a, b, WRITER, WRITER))
        for number, item in enumerate(items):
            truth, left = rng.choice("AB"), rng.choice("AB")
            longer = "A" if len(item.response_a) > len(item.response_b) else "B"
            for name, kind in people.items():
                seconds = rng.uniform(1, 3) if kind == "spammer" else rng.lognormvariate(3, 0.5)
                clock[name] += seconds
                at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(clock[name]))
                choice = choose(kind, rng, truth, left, longer, number >= n / 2)
                times = {"seconds": seconds if number else None, "inserted_at": at, "updated_at": at}
                votes.append(Vote(item.id, name, choice, left, id=f"{number}-{name}", **times))
        return items, votes

    return make


@pytest.fixture
def honest():
    return {f"honest-{number}": "honest" for number in range(4)}

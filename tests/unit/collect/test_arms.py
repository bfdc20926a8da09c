"""What each arm brought."""

from prefloop.collect import Item, Message, Origin, Vote
from prefloop.collect.sampling.arms import arms

ORIGIN = Origin("model", "m")


def item(number, *tags):
    return Item((Message("user", f"prompt {number}"),), f"a {number}", f"b {number}", ORIGIN, ORIGIN, tags)


def test_arms_are_told_apart_and_counted():
    chance = [item(n, "arm:random", "kitchen") for n in range(10)]
    chosen = [item(n, "arm:margin") for n in range(10, 30)]
    votes = [Vote(row.id, name, "A", "A") for row in [*chance[:8], *chosen] for name in ("ann", "bo")]
    votes += [Vote(row.id, "cy", "B", "A") for row in chance[:4]]
    votes += [Vote(chance[9].id, "cy", "skip", "A")]
    margin, random = arms([*chance, *chosen], votes, {"undecided": [row.id for row in chance[:2]], "unvoted": ["x"]})
    assert (margin.name, margin.items, margin.voted) == ("margin", 20, 20)
    assert (random.name, random.items, random.voted) == ("random", 10, 8)
    assert (random.decided.value, random.decided.n) == (6 / 8, 8)
    assert margin.decided.value == 1.0
    assert random.split.value == 0.5
    assert margin.split.value == 0.0
    assert random.split.low < 0.5 < random.split.high


def test_without_votes_and_without_arms():
    [only] = arms([item(1, "arm:random")], [], {})
    assert (only.items, only.voted, only.decided, only.split) == (1, 0, None, None)
    assert arms([item(1, "kitchen")], [], {}) == []

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin, Vote, make_pairs, verdict

PEOPLE = ("ann", "bo", "cy")
CHOICES = st.sampled_from(["A", "B", "tie", "both_bad", "skip", None])


def vote(item, who, choice, **more):
    return Vote(item.id, who, choice, left="A", id=f"{item.id}-{who}", **more)


@pytest.mark.parametrize(
    ("choices", "outcome", "probability"),
    [
        ("AAB", "A", 2 / 3),
        (["tie", "tie", "A"], "tie", 2 / 3),
        (["A", "B", "tie"], "undecided", 1 / 3),
        (["A", "skip", None], "A", 1.0),
        (["skip"], "unvoted", 0.0),
        ([], "unvoted", 0.0),
    ],
)
def test_plurality(make_item, choices, outcome, probability):
    item = make_item()
    found = verdict(item.id, [vote(item, str(who), choice) for who, choice in enumerate(choices)])
    assert (found.outcome, found.probability) == (outcome, pytest.approx(probability))


def test_only_submitted_votes_count(make_item):
    item = make_item()
    votes = [vote(item, "ann", "A"), vote(item, "bo", "B", status="draft"), vote(item, "cy", "B", status="discarded")]
    assert verdict(item.id, votes).outcome == "A"


def test_a_margin_can_be_asked_for(make_item):
    item = make_item()
    votes = [vote(item, who, choice) for who, choice in zip(PEOPLE, "AAB", strict=True)]
    assert verdict(item.id, votes, min_margin=2).outcome == "undecided"


def test_an_edit_beats_the_chosen_answer_which_beats_the_rejected_one(make_item):
    item = make_item(a="good", b="bad")
    votes = [vote(item, "ann", "A", edit="best"), vote(item, "bo", "A"), vote(item, "cy", "B", edit="worse taste")]
    made = make_pairs([item], votes)
    assert [(pair.chosen, pair.rejected, pair.kind) for pair in made.pairs] == [
        ("good", "bad", "vote"),
        ("best", "good", "edit_over_chosen"),
        ("best", "bad", "edit_over_rejected"),
    ]
    assert made.edits == 1
    assert made.edits_left_out == (f"{item.id}-cy",)


def test_an_edit_that_changes_nothing_is_counted_and_gives_no_pair(make_item):
    item = make_item(a="good", b="bad")
    made = make_pairs([item], [vote(item, "ann", "A", edit=" good\n")])
    assert len(made.pairs) == 1
    assert made.edits_left_out == (f"{item.id}-ann",)


@given(st.lists(st.tuples(CHOICES, CHOICES, CHOICES), max_size=12))
def test_every_item_is_accounted_for_and_every_pair_is_two_different_texts(rows):
    origin = Origin("person", "author")
    items = [Item((Message("user", f"p{n}"),), "a", "b", origin, origin) for n in range(len(rows))]
    votes = [
        vote(item, who, choice, status="draft" if choice is None else "submitted")
        for item, row in zip(items, rows, strict=True)
        for who, choice in zip(PEOPLE, row, strict=True)
    ]
    made = make_pairs(items, votes)
    assert sum(made.outcomes.values()) == len(items)
    assert len(made.pairs) + sum(map(len, made.left_out.values())) == len(items)
    assert all(pair.chosen != pair.rejected and 1 / 3 < pair.weight <= 1 for pair in made.pairs)


@given(st.lists(CHOICES, min_size=1, max_size=5))
def test_swapping_the_candidates_flips_the_pair_and_nothing_else(choices):
    origin = Origin("person", "author")
    flip = {"A": "B", "B": "A"}
    straight = Item((Message("user", "p"),), "x", "y", origin, origin)
    swapped = Item((Message("user", "p"),), "y", "x", origin, origin)
    one = make_pairs([straight], [vote(straight, str(n), c) for n, c in enumerate(choices)])
    two = make_pairs([swapped], [vote(swapped, str(n), flip.get(c, c)) for n, c in enumerate(choices)])
    assert [(p.chosen, p.rejected, p.weight) for p in one.pairs] == [
        (p.chosen, p.rejected, p.weight) for p in two.pairs
    ]

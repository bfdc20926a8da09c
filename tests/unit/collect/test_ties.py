"""What a tied item becomes: a row of its own, never a preference; and how strongly an order is preferred."""

import pytest
from prefloop.collect import PairSettings, make_pairs
from prefloop.collect.sealing.sealed import seal, split_pairs

PEOPLE = ("ann", "bo", "cy", "di", "ed", "flo")


@pytest.fixture
def vote_all(make_vote):
    return lambda item, choices: [make_vote(item, who, said) for who, said in zip(PEOPLE, choices, strict=False)]


def test_a_tied_item_is_a_row_of_its_own_with_its_votes(make_item, vote_all):
    item = make_item(tags=("form",))
    votes = vote_all(item, ["tie", "tie", "A"])
    made = make_pairs([item], votes)
    assert made.pairs == ()
    assert made.left_out == {"tie": (item.id,)}
    (row,) = made.ties
    assert (row.chosen, row.rejected, row.kind, row.tags) == (item.response_a, item.response_b, "tie", ("form",))
    assert (row.weight, row.preferred) == (pytest.approx(2 / 3), 0.5)
    assert row.vote_ids == tuple(vote.id for vote in votes)
    assert made.ties_left_out == {}


@pytest.mark.parametrize("choices", [["both_bad"] * 3, ["A", "B"], ["A", "B", "tie"], ["A", "A", "tie"], []])
def test_bad_undecided_and_decided_items_are_no_ties(make_item, vote_all, choices):
    item = make_item()
    assert make_pairs([item], vote_all(item, choices)).ties == ()


def test_ties_that_say_nothing_are_left_out_and_counted(make_item, vote_all):
    gold, same, unsure, good = (make_item(prompt=f"{n}?") for n in range(4))
    same = make_item(prompt="1?", a="Yes.", b=" Yes. ")
    votes = [*vote_all(gold, ["tie"] * 2), *vote_all(same, ["tie"] * 2), *vote_all(good, ["tie"] * 2)]
    votes += vote_all(unsure, ["tie", "tie", "A"])
    made = make_pairs([gold, same, unsure, good], votes, PairSettings(min_probability=0.8), gold={gold.id})
    assert [row.item_id for row in made.ties] == [good.id]
    assert made.ties_left_out == {
        "gold item": (gold.id,),
        "same text": (same.id,),
        "below min_probability": (unsure.id,),
    }


def test_a_sealed_tie_is_neither_trained_nor_measured_on(make_item, vote_all, tmp_path):
    items = [make_item(prompt=f"Where is parcel number {n} of street {n * 7}?") for n in range(40)]
    sealed = seal(items, 0.5, 0, tmp_path / "sealed.json")
    rows = make_pairs(items, [vote for item in items for vote in vote_all(item, ["tie"] * 2)]).ties
    training, held_out = split_pairs(rows, sealed)
    assert held_out == []
    assert {row.item_id for row in training} == {item.id for item in items if not sealed.holds(item)}
    assert 0 < len(training) < 40


@pytest.mark.parametrize(
    ("choices", "preferred"),
    [
        (["A"] * 3, 1.0),
        (["A", "A", "B"], 2 / 3),
        (["A", "A", "tie"], 5 / 6),
        (["A", "A", "both_bad"], 5 / 6),
        # Fewer than half of the votes, and still more for A than for B.
        (["A", "A", "A", "B", "tie", "tie"], 4 / 6),
    ],
)
def test_votes_for_neither_count_half_for_each(make_item, vote_all, choices, preferred):
    item = make_item()
    votes = vote_all(item, choices)
    (pair,) = make_pairs([item], votes).pairs
    assert pair.preferred == pytest.approx(preferred)
    (turned,) = make_pairs([item], [v for v in vote_all(item, ["B" if c == "A" else c for c in choices])]).pairs
    assert turned.preferred >= 0.5


def test_a_models_posterior_takes_the_place_of_the_share(make_item, vote_all):
    items = [make_item(prompt=f"{n}?") for n in range(12)]
    says = (["A", "A", "B"], ["B", "B", "A"])
    votes = [vote for place, item in enumerate(items) for vote in vote_all(item, says[place % 2])]
    made = make_pairs(items, votes, PairSettings(aggregate="dawid_skene"))
    # One person always says the opposite, which the model sees through.
    assert all(pair.weight > 0.9 and pair.preferred > 0.9 for pair in made.pairs)


def test_an_edit_is_preferred_by_the_one_who_wrote_it(make_item, make_vote):
    item = make_item()
    made = make_pairs(
        [item], [make_vote(item, "ann", "A", edit="Better."), make_vote(item, "bo", "B"), make_vote(item, "cy", "A")]
    )
    edits = [pair for pair in made.pairs if pair.kind != "vote"]
    assert [(pair.preferred, len(pair.vote_ids)) for pair in edits] == [(1.0, 1), (1.0, 1)]

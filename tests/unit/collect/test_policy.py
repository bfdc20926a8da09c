"""Each policy of `collect.pairs`, what it leaves out, and that nothing is lost without a count."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin, Vote, make_pairs, read_items, read_votes
from prefloop.collect.policy import PairSettings
from pydantic import ValidationError

DEMO = Path(__file__).parents[3] / "recipes" / "demo"


def vote(item, who, choice, **more):
    return Vote(item.id, who, choice, left="A", id=f"{item.id}-{who}", **more)


def test_a_probability_can_be_asked_for(make_item):
    item = make_item()
    votes = [vote(item, who, choice) for who, choice in zip("abc", "AAB", strict=True)]
    assert make_pairs([item], votes, PairSettings(min_probability=0.6)).pairs[0].weight == pytest.approx(2 / 3)
    assert make_pairs([item], votes, PairSettings(min_probability=0.7)).left_out == {
        "below min_probability": (item.id,)
    }


def test_a_strength_can_be_asked_for_and_only_the_winners_count(make_item):
    item = make_item()
    votes = [vote(item, "a", "A", strength=2), vote(item, "b", "A", strength=3), vote(item, "c", "B", strength=4)]
    assert len(make_pairs([item], votes, PairSettings(min_strength=2.5)).pairs) == 1
    assert make_pairs([item], votes, PairSettings(min_strength=2.6)).left_out == {"below min_strength": (item.id,)}


def test_answers_that_differ_in_white_space_only_make_no_pair(make_item):
    item = make_item(a="On  its way.\n", b=" On its way.")
    assert make_pairs([item], [vote(item, "a", "A")]).left_out == {"same text": (item.id,)}


def test_gold_items_make_no_pair(make_item):
    item = make_item()
    made = make_pairs([item], [vote(item, "a", "A")], gold={item.id})
    assert (made.pairs, made.left_out, made.outcomes) == ((), {"gold item": (item.id,)}, {"A": 1})


@pytest.mark.parametrize(
    ("kinds", "texts"),
    [
        (("vote",), [("good", "bad")]),
        (("edit_over_rejected",), [("best", "bad")]),
        (("vote", "edit_over_chosen"), [("good", "bad"), ("best", "good")]),
    ],
)
def test_only_the_kinds_asked_for(make_item, kinds, texts):
    item = make_item(a="good", b="bad")
    made = make_pairs([item], [vote(item, "a", "A", edit="best")], PairSettings(kinds=kinds))
    assert [(pair.chosen, pair.rejected) for pair in made.pairs] == texts


def test_an_item_without_an_edit_is_counted_where_only_edits_are_asked_for(make_item):
    item = make_item()
    made = make_pairs([item], [vote(item, "a", "A")], PairSettings(kinds=("edit_over_chosen",)))
    assert made.left_out == {"no pair of the kinds asked for": (item.id,)}


def test_margins_are_for_majorities():
    with pytest.raises(ValidationError, match="min_probability"):
        PairSettings(aggregate="mace", min_margin=2)


@pytest.mark.parametrize("aggregate", ["dawid_skene", "mace"])
def test_reliable_annotators_outvote_two_spammers(aggregate):
    writer = Origin("person", "author")
    items = [Item((Message("user", f"p{n}"),), "good", "bad", writer, writer) for n in range(60)]
    votes = [vote(item, who, "AB"[n % 3 == 0]) for n, item in enumerate(items) for who in ("ann", "bo", "cy")]
    votes += [vote(item, who, "AB"[n * k % 7 % 2]) for n, item in enumerate(items) for who, k in (("s", 3), ("t", 5))]
    # On the last item two good annotators vote against one good and both bad ones.
    last = items[-1].id
    votes = [v for v in votes if v.item_id != last]
    votes += [vote(items[-1], who, choice) for who, choice in zip(("ann", "bo", "cy", "s", "t"), "AABBB", strict=True)]
    majority = make_pairs(items, votes).pairs[-1]
    weighed = make_pairs(items, votes, PairSettings(aggregate=aggregate)).pairs[-1]
    assert (majority.item_id, majority.chosen) == (last, "bad")
    assert (weighed.item_id, weighed.chosen) == (last, "good")
    assert 0.5 < weighed.weight <= 1


def test_an_adjudicator_overrules_and_both_are_on_record(make_item):
    item = make_item(a="good", b="bad")
    votes = [vote(item, "a", "B"), vote(item, "b", "B"), vote(item, "c", "A")]
    judge = Vote(item.id, "judge", "A", "A", id="j")
    made = make_pairs([item], votes, adjudications=[judge])
    assert [(pair.chosen, pair.weight, pair.vote_ids) for pair in made.pairs] == [("good", 1.0, ("j",))]
    (row,) = made.adjudicated
    assert (row.before, row.after, row.overruled, row.decided_by) == ("B", "A", tuple(v.id for v in votes), ("j",))


def test_an_adjudicators_draft_changes_nothing(make_item):
    item = make_item()
    made = make_pairs([item], [vote(item, "a", "B")], adjudications=[Vote(item.id, "j", "A", "A", status="draft")])
    assert (made.outcomes, made.adjudicated) == ({"B": 1}, ())


def test_the_default_policy_gives_the_demonstrations_pairs_as_ever():
    made = make_pairs(read_items(DEMO / "items.jsonl"), read_votes(DEMO / "votes.jsonl"))
    assert made.outcomes == {"B": 115, "A": 112, "tie": 7, "both_bad": 3, "undecided": 3}
    assert made.left_out.keys() == {"tie", "both_bad", "undecided"}


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["A", "B", "tie", "both_bad"]), st.sampled_from([None, 1, 4])), max_size=4),
        max_size=8,
    ),
    st.builds(
        PairSettings,
        min_probability=st.sampled_from([0.0, 0.6]),
        min_strength=st.sampled_from([0.0, 2.0]),
        min_margin=st.integers(1, 2),
    ),
)
@settings(max_examples=60, deadline=None)
def test_every_item_is_a_pair_or_counted_with_its_reason(rows, policy):
    writer = Origin("person", "author")
    items = [Item((Message("user", f"p{n}"),), "a", "b" if n % 3 else " a", writer, writer) for n in range(len(rows))]
    votes = [
        vote(item, str(who), choice, strength=strength)
        for item, row in zip(items, rows, strict=True)
        for who, (choice, strength) in enumerate(row)
    ]
    made = make_pairs(items, votes, policy)
    left = [item_id for ids in made.left_out.values() for item_id in ids]
    assert sorted([pair.item_id for pair in made.pairs] + left) == sorted(item.id for item in items)
    assert sum(made.outcomes.values()) == len(items)
    assert all(pair.chosen.split() != pair.rejected.split() for pair in made.pairs)

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Candidate, Item, Message, Origin, Vote, make_pairs, originals, pairwise
from prefloop.collect.item import LETTERS
from prefloop.collect.queues.questions import compare


def ranked_item(count, prompt="Which is best?"):
    answers = [Candidate(f"answer {letter}", Origin("model", letter)) for letter in LETTERS[:count]]
    (a, b), more = answers[:2], tuple(answers[2:])
    return Item((Message("user", prompt),), a.response, b.response, a.origin, b.origin, ("tag",), more)


def ranking(item, *ranks, **more):
    order = more.pop("order", LETTERS[: len(ranks)])
    more = {"id": "response", "seconds": 12.0} | more
    return Vote(item.id, "ann", compare(*ranks[:2]), "A", ranking=ranks, order=order, **more)


def test_a_ranking_says_something_of_every_two_candidates():
    item = ranked_item(4)
    items, votes = pairwise([item], [ranking(item, 1, 2, 2, 4, order="DCBA")])
    found = {vote.id.split("#")[1]: vote for vote in votes}
    assert {letters: vote.choice for letters, vote in found.items()} == {
        "AB": "A",
        "AC": "A",
        "AD": "A",
        "BC": "tie",
        "BD": "A",
        "CD": "A",
    }
    by_id = {part.id: part for part in items}
    assert by_id[found["BD"].item_id].response_a == "answer B"
    assert by_id[found["BD"].item_id].origin_b == Origin("model", "D")
    assert {vote.left for vote in votes} == {"B"}  # shown in the order D C B A
    assert all(vote.counts and vote.id.startswith("response#") for vote in votes)
    assert sum(vote.seconds for vote in votes) == 12.0


@given(st.data(), st.integers(3, 6))
def test_expanding_loses_and_invents_nothing(data, count):
    item = ranked_item(count)
    ranks = tuple(data.draw(st.lists(st.integers(1, count), min_size=count, max_size=count)))
    order = "".join(data.draw(st.permutations(LETTERS[:count])))
    more = {"edit": "edit", "critique": "why", "criteria": {"tone": 3}}
    ratings = {letter: {"tone": 1 + LETTERS.index(letter) % 5} for letter in LETTERS[:count]}
    items, votes = pairwise([item], [ranking(item, *ranks, order=order, ratings=ratings, **more)])
    assert len(items) == len(votes) == len({part.id for part in items}) == count * (count - 1) // 2
    for (first, second), part, vote in zip(combinations(range(count), 2), items, votes, strict=True):
        assert (part.response_a, part.response_b) == (f"answer {LETTERS[first]}", f"answer {LETTERS[second]}")
        assert vote.item_id == part.id
        assert vote.choice == compare(ranks[first], ranks[second])
        assert vote.left == ("A" if order.index(LETTERS[first]) < order.index(LETTERS[second]) else "B")
        assert vote.ratings == {"A": ratings[LETTERS[first]], "B": ratings[LETTERS[second]]}
    [telling] = [vote for vote in votes if vote.edit]
    assert (telling.critique, telling.criteria) == ("why", {"tone": 3})
    assert [vote for vote in votes if vote.critique or vote.criteria] == [telling]
    first, second = (ranks[LETTERS.index(letter)] for letter in telling.id.split("#")[1])
    assert min(first, second) == min(ranks)
    assert first != second or len(set(ranks)) == 1
    assert {vote.item_id for vote in votes} == set(originals([item])) - {item.id}
    assert set(originals([item]).values()) == {item.id}


def test_items_and_votes_of_two_candidates_come_back_as_they_are(make_item, make_vote):
    item = make_item()
    votes = [make_vote(item, "ann", "A"), replace(make_vote(item, "bo", "A"), ranking=(1, 2), order="AB")]
    assert pairwise([item], votes) == ([item], votes)
    assert originals([item]) == {item.id: item.id}


@pytest.mark.parametrize("status", ["draft", "discarded"])
def test_drafts_and_skips_stay_what_they_are(status):
    item = ranked_item(3)
    choice = "skip" if status == "discarded" else None
    vote = replace(ranking(item, None, 1, 2, status=status), choice=choice)
    _, votes = pairwise([item], [vote])
    assert [vote.choice for vote in votes] == (["skip"] * 3 if choice else [None, None, "A"])
    assert not any(vote.counts for vote in votes)
    _, votes = pairwise([item], [replace(vote, ranking=None, order="")])
    assert len(votes) == 3
    assert {(vote.choice, vote.left) for vote in votes} == {(choice, None)}


def test_the_same_two_candidates_in_two_ranked_items_are_one_item_with_both_votes():
    three = ranked_item(3)
    four = ranked_item(4)
    items, votes = pairwise([three, four], [ranking(three, 1, 2, 3), ranking(four, 2, 1, 3, 4)])
    assert len(items) == 6
    assert Counter(vote.item_id for vote in votes)[items[0].id] == 2
    assert originals([three, four])[items[0].id] == three.id


def test_pairs_of_a_ranking_follow_its_order_and_the_edit_beats_the_best():
    item = ranked_item(3)
    made = make_pairs(*pairwise([item], [ranking(item, 2, 1, 2, edit="even better")]))
    assert [(pair.chosen, pair.rejected) for pair in made.pairs] == [
        ("answer B", "answer A"),
        ("even better", "answer B"),
        ("even better", "answer A"),
        ("answer B", "answer C"),
    ]
    assert {pair.vote_ids for pair in made.pairs} == {("response#AB",), ("response#BC",)}
    assert made.outcomes == {"B": 1, "tie": 1, "A": 1}
    assert made.edits_left_out == ()

import json
from dataclasses import asdict, replace

import pytest
from prefloop.collect import Candidate, Item, Message, Origin, Vote
from prefloop.collect.quality import measure

WRITER = Origin("person", "author")


def item(number, a="good", b="bad", more=()):
    return Item((Message("user", f"p{number}"),), a, b, WRITER, WRITER, more=tuple(Candidate(t, WRITER) for t in more))


def vote(what, who, choice, **more):
    return Vote(what.id, who, choice, "A", id=f"{what.id}-{who}", **more)


def test_the_report_says_yes_to_honest_people(simulate, honest):
    found = measure(*simulate(honest, 80))
    assert found.verdict == "yes"
    assert "Nobody's votes stand out" in found.summary
    assert found.alpha.low > 0.2
    assert found.items == 80
    assert sum(found.outcomes.values()) == 80


def test_the_report_names_whom_to_talk_to(simulate, honest):
    found = measure(*simulate(honest | {"lea": "left-clicker"}, 60), price_per_hour=20, currency="USD")
    assert found.verdict == "almost"
    assert found.advice[0].startswith("Talk to lea, who picks the answer shown first in 9")
    assert found.ledger.per_pair > 0


def test_people_who_guess_are_no_ground_to_train_on(simulate):
    found = measure(*simulate({f"s{number}": "spammer" for number in range(4)}, 60))
    assert found.verdict == "no"
    assert "close to chance" in found.summary


def test_few_votes_are_not_judged(simulate, honest):
    found = measure(*simulate(honest, 12))
    assert found.verdict == "too few"
    assert "%" not in found.summary


def test_nothing_at_all():
    found = measure([], [])
    assert (found.verdict, found.pairs, found.profiles, found.disputes) == ("too few", 0, (), ())


def test_the_numbers_are_json(simulate, honest):
    row = json.loads(json.dumps(asdict(measure(*simulate(honest, 40))), allow_nan=False))
    assert {"alpha", "profiles", "disputes", "ledger", "policy"} <= row.keys()


def test_the_most_disputed_item_comes_first_and_what_is_settled_does_not_come():
    items = [item(number) for number in range(4)]
    rows = zip(items, (("A", "A", "A"), ("A", "A", "B"), ("A", "B", "tie"), ("A", "B", "B")), strict=True)
    votes = [vote(what, who, choice) for what, row in rows for who, choice in zip("xyz", row, strict=True)]
    found = measure(items, votes, adjudications=[vote(items[3], "judge", "B")])
    assert [row.item_id for row in found.disputes] == [items[2].id, items[1].id]
    assert found.disputes[0].entropy == pytest.approx(1.585, abs=1e-3)
    assert found.disputes[1].choices == {"A": 2, "B": 1}
    assert found.adjudicated == 1


def test_sealed_texts_and_gold_items_stay_out_of_the_disputes():
    items = [item(number) for number in range(2)]
    votes = [vote(what, who, choice, critique="secret") for what in items for who, choice in (("x", "A"), ("y", "B"))]
    found = measure(items, votes, sealed={items[0].prompt_id}, gold={items[1].id: "A"})
    (row,) = found.disputes
    assert (row.item_id, row.sealed, row.prompt, row.answers, row.critiques) == (items[0].id, True, (), (), ())
    assert found.left_out["gold item"] == (items[1].id,)


def test_a_ranking_counts_as_its_pairs_and_is_disputed_as_one_item():
    items = [item(number, more=("middling",)) for number in range(30)]
    votes = [
        Vote(
            what.id, who, None, None, id=f"{n}-{who}", ranking=(1, 3, 2) if who != "z" or n else (3, 1, 2), order="ABC"
        )
        for n, what in enumerate(items)
        for who in "xyz"
    ]
    votes = [replace(row, choice="A" if row.ranking[0] < row.ranking[1] else "B") for row in votes]
    found = measure(items, votes)
    assert (found.votes, found.rated_twice, found.pairs) == (270, 90, 90)
    (row,) = found.disputes
    assert row.item_id == items[0].id
    assert row.choices == {"AB A": 2, "AB B": 1, "AC A": 2, "AC C": 1, "BC C": 2, "BC B": 1}


def test_criteria_agree_only_about_the_same_answer():
    items = [item(number) for number in range(10)]
    votes = [
        vote(what, who, "A", ratings={"A": {"tone": n % 5 + 1}, "B": {"tone": 5 - n % 5}})
        for n, what in enumerate(items)
        for who in "xy"
    ]
    assert measure(items, votes).criteria["tone"].value == pytest.approx(1)

"""Audits of judges whose faults are known, numbers by hand, and what real people agreed on."""

import gzip
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.collect import Item, Message, Origin, Vote
from prefloop.collect.sources import Options, import_llmbar, import_pandalm
from prefloop.evaluate.judge_audit import Ruling, audit_judge, read_audit, section, words, write_audit
from prefloop.evaluate.statistics import Plan
from sklearn.metrics import cohen_kappa_score

PLAN = Plan(samples=1000)
SOMEBODY = Origin("model", "somebody")
WITH_DATA = pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA is not set")


def make_item(number, a="an answer", b="a reply", *, tags=(), prompt=None, origins=(SOMEBODY, SOMEBODY)):
    return Item((Message("user", prompt or f"Question {number}"),), f"{a} {number}", f"{b} {number}", *origins, tags)


def cast(item, *choices):
    return [Vote(item.id, f"person {place}", choice, "A") for place, choice in enumerate(choices)]


def audit(rows, **options):
    """Rows of (A-first verdict, B-first verdict, people's choices)."""
    items = [make_item(number) for number in range(len(rows))]
    rulings = [Ruling(item.id, row[0], row[1]) for item, row in zip(items, rows, strict=True)]
    votes = [vote for item, row in zip(items, rows, strict=True) for vote in cast(item, *row[2])]
    return audit_judge(rulings, items, votes, plan=PLAN, **options)


def test_agreement_by_hand():
    found = audit(
        [
            ("A", "A", ("A", "A", "B")),  # agrees
            ("B", "B", ("A", "A", "tie")),  # disagrees
            ("A", "B", ("A", "A", "A")),  # changed its mind: a tie, half
            ("tie", "tie", ("tie", "both_bad", "B")),  # people say neither: in the three-way agreement only
            ("A", "A", ("A", "B")),  # no majority
            ("B", "B", ("B", "skip", "B")),  # agrees
        ]
    )
    assert found.items == 6
    assert len(found.no_majority) == 1
    assert (found.agreement.value, found.agreement.n) == ((1 + 0 + 0.5 + 1) / 4, 4)
    assert (found.decided.value, found.decided.n) == (pytest.approx(2 / 3), 3)
    assert (found.with_ties.value, found.with_ties.n) == (3 / 5, 5)
    ours = ["A", "B", "tie", "tie", "B"]
    theirs = ["A", "A", "A", "tie", "B"]
    assert found.kappa.value == pytest.approx(cohen_kappa_score(ours, theirs))
    assert (found.position.consistent.value, found.position.always_first) == (5 / 6, 1)
    # Of the ten verdicts for one answer: A first named A 3 times, B 2; B first named B 3 times, A 2.
    assert (found.position.first.value, found.position.first.n) == (6 / 10, 10)


def test_judge_and_people_are_compared_with_the_same_thing():
    found = audit([("A", "A", ("A", "A", "B"))])
    # Without a person who said A the others are one A and one B: nothing to agree with. Without B: A and A.
    assert (found.beside.judge.value, found.beside.people.value, found.beside.judge.n) == (1, 0, 1)
    assert (found.beside.difference.low, found.beside.difference.high) == (-1, 1)  # one prompt says nothing of others
    found = audit([("tie", "tie", ("A", "A", "A"))])
    assert (found.beside.judge.value, found.beside.people.value, found.beside.judge.n) == (0.5, 1, 3)
    assert found.beside_with_ties.judge.value == 0
    assert found.beside.difference.value == -0.5


def test_what_was_left_out_is_named():
    items = [make_item(number) for number in range(5)]
    rulings = [Ruling(items[0].id, "A", "A"), Ruling(items[1].id, "A", None), Ruling(items[3].id, "B", "B")]
    votes = [vote for item in items[:3] for vote in cast(item, "A", "A")]
    found = audit_judge(rulings, items, votes, plan=PLAN)
    assert found.items == 1
    assert found.unscored == (items[1].id,)
    assert found.not_asked == (items[2].id,)
    assert found.without_votes == (items[3].id, items[4].id)
    assert "Of the items, 1 have a verdict that can't be read, 1 were not put to it, 2 have no vote." in words(found)


def test_what_makes_no_sense_is_refused():
    item, other = make_item(1), make_item(2)
    ruling, votes = Ruling(item.id, "A", "A"), cast(item, "A")
    with pytest.raises(ValueError, match="two rulings"):
        audit_judge([ruling, ruling], [item], votes)
    with pytest.raises(ValueError, match="about none of the items"):
        audit_judge([Ruling(other.id, "A", "A")], [item], votes)
    with pytest.raises(ValueError, match="not among the items"):
        audit_judge([ruling], [item], cast(other, "A"))
    with pytest.raises(ValueError, match="can be read in both orders"):
        audit_judge([Ruling(item.id, None, "A")], [item], votes)


def population(count, *, seed=0, people=3, right=0.8):
    """Items with a better answer, unequal lengths, and people who see which it is with a known probability."""
    draw = random.Random(seed)
    items, truth, votes = [], {}, []
    for number in range(count):
        item = make_item(
            number, "word " * draw.randint(1, 30), "word " * draw.randint(1, 30), tags=("even",) * (number % 2 == 0)
        )
        better = draw.choice("AB")
        worse = "B" if better == "A" else "A"
        items.append(item)
        truth[item.id] = better
        votes += cast(item, *(better if draw.random() < right else worse for _ in range(people)))
    return items, truth, votes, draw


def longer(item):
    a, b = len(item.response_a), len(item.response_b)
    return "tie" if a == b else "A" if a > b else "B"


def as_good(truth, draw, right):
    def rule(item):
        better = truth[item.id]
        said = better if draw.random() < right else "B" if better == "A" else "A"
        return Ruling(item.id, said, said)

    return rule


def test_judges_are_told_apart():
    items, truth, votes, draw = population(400)
    judges = {
        "as good as people": as_good(truth, draw, 0.85),
        "worse than people": as_good(truth, draw, 0.6),
        "a coin": as_good(truth, draw, 0.5),
        "the first": lambda item: Ruling(item.id, "A", "B"),
        "the longer": lambda item: Ruling(item.id, longer(item), longer(item)),
        "always tie": lambda item: Ruling(item.id, "tie", "tie"),
    }
    found = {
        name: audit_judge([rule(item) for item in items], items, votes, judge=name, plan=PLAN)
        for name, rule in judges.items()
    }
    assert {name for name, each in found.items() if each.may_gate} == {"as good as people"}
    assert found["as good as people"].length.difference.low < 0 < found["as good as people"].length.difference.high
    # By hand: 0.85 of the truth, which a majority of three finds in 0.8³ + 3 * 0.8² * 0.2.
    seen = 0.8**3 + 3 * 0.8**2 * 0.2
    expected = 0.85 * seen + 0.15 * (1 - seen)
    assert found["as good as people"].agreement.low < expected < found["as good as people"].agreement.high
    # The others' majority exists where both agree: the judge 0.85 of what they say together, people 0.8.
    both = 0.8**2 / (0.8**2 + 0.2**2)
    assert found["as good as people"].beside.people.value == pytest.approx(0.8 * both + 0.2 * (1 - both), abs=0.04)
    assert found["as good as people"].beside.judge.value == pytest.approx(0.85 * both + 0.15 * (1 - both), abs=0.04)

    first = found["the first"]
    assert (first.agreement.value, first.position.consistent.value, first.position.first.value) == (0.5, 0, 1)
    assert first.decided is None
    assert any("leans to the answer shown first: 100%" in sentence for sentence in words(first))
    assert found["the longer"].length.judge.value == 1
    assert any("prefers longer answers more than people" in sentence for sentence in words(found["the longer"]))
    assert not any("prefers longer" in sentence for sentence in words(found["a coin"]))
    assert found["always tie"].position.first is None
    assert any("points less than one of them does" in reason for reason in found["worse than people"].reasons)


def test_the_margin_is_what_decides():
    items, truth, votes, draw = population(400, right=0.9)
    rulings = [as_good(truth, draw, 0.8)(item) for item in items]
    strict = audit_judge(rulings, items, votes, margin=0.02, plan=PLAN)
    lax = audit_judge(rulings, items, votes, margin=0.3, plan=PLAN)
    assert (strict.may_gate, lax.may_gate) == (False, True)
    assert strict.beside == lax.beside


def test_a_good_judge_on_few_items_may_not_gate():
    items, truth, votes, draw = population(20)
    found = audit_judge([as_good(truth, draw, 0.85)(item) for item in items], items, votes, plan=PLAN)
    assert not found.may_gate


def test_a_judge_that_is_silent_on_hard_items_may_not_gate():
    items, truth, votes, draw = population(400)
    rulings = [as_good(truth, draw, 0.95)(item) for item in items]
    silent = [replace(ruling, b_first=None) if number % 5 == 0 else ruling for number, ruling in enumerate(rulings)]
    assert audit_judge(rulings, items, votes, plan=PLAN).may_gate
    found = audit_judge(silent, items, votes, plan=PLAN)
    assert found.reasons == ("20% of its verdicts can't be read, and at most 10% may be missing",)
    assert len(found.unscored) == 80


def test_without_a_second_person_nobody_knows_how_well_people_do():
    items, truth, votes, draw = population(200, people=1, right=1.0)
    found = audit_judge([as_good(truth, draw, 1.0)(item) for item in items], items, votes, plan=PLAN)
    assert found.agreement.value == 1
    assert found.beside is None
    assert not found.may_gate


def test_a_judge_that_prefers_its_own_answers_is_found():
    own, other = Origin("model", "judge-7b"), Origin("model", "other-7b")
    draw, items, votes, rulings = random.Random(2), [], [], []
    for number in range(200):
        item = make_item(number, origins=(own, other) if number % 2 else (other, own))
        its = "A" if number % 2 else "B"
        items.append(item)
        votes += cast(item, draw.choice("AB"), draw.choice("AB"))
        said = its if draw.random() < 0.8 else "B" if its == "A" else "A"
        rulings.append(Ruling(item.id, said, said))
    found = audit_judge(rulings, items, votes, judge="judge-7b", plan=PLAN)
    assert found.own.judge.value == pytest.approx(0.8, abs=0.06)
    assert found.own.people.value == pytest.approx(0.5, abs=0.06)
    assert any("prefers its own answers" in sentence for sentence in words(found))
    assert audit_judge(rulings, items, votes, judge="nobody", plan=PLAN).own is None
    assert audit_judge(rulings, items, votes, judge="alias", own_names=["judge-7b"], plan=PLAN).own == found.own


def test_by_tag():
    items, truth, votes, _ = population(100)
    right_on_even = [
        Ruling(item.id, said, said)
        for item in items
        if (said := truth[item.id] if item.tags else "B" if truth[item.id] == "A" else "A")
    ]
    found = audit_judge(right_on_even, items, votes, plan=PLAN)
    [tag] = found.tags
    assert (tag.tag, tag.agreement.n) == ("even", 50)
    assert tag.agreement.value > 0.8
    assert tag.people.value > 0.6


def test_items_on_one_prompt_stand_together():
    items = [make_item(number, prompt=f"Question {number // 20}") for number in range(100)]
    rulings = [Ruling(item.id, "A", "A") for item in items]
    votes = [
        vote for number, item in enumerate(items) for vote in cast(item, *("A", "A") if number < 60 else ("B", "B"))
    ]
    found = audit_judge(rulings, items, votes, plan=PLAN)
    assert (found.items, found.prompts) == (100, 5)
    assert found.agreement.high - found.agreement.low > 0.6  # five prompts, each all right or all wrong


def test_an_audit_survives_its_file_and_is_shown_escaped(tmp_path):
    items, truth, votes, draw = population(60)
    hostile = [replace(item, tags=("<script>x</script>",)) for item in items]
    found = audit_judge(
        [as_good(truth, draw, 0.8)(item) for item in items], hostile, votes, judge="<img src=x>", plan=PLAN
    )
    assert read_audit(write_audit(tmp_path / "audit.json", found)) == found
    page = section(found)
    assert "<script" not in page
    assert "<img" not in page
    assert "<svg" in page


@WITH_DATA
def test_on_pandalm_one_annotator_against_the_others_and_rules_that_read_nothing():
    place = Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences/pandalm_testset_v1.json.gz"
    imported = import_pandalm(str(place), Options())
    items = imported.items
    rulings = [Ruling(item.id, longer(item), longer(item)) for item in items]
    found = audit_judge(rulings, items, imported.votes, judge="longer", plan=PLAN)
    assert not found.may_gate
    assert found.agreement == found.longer
    assert found.length.judge.value == 1
    # Counted from the file by itself, without any of the code above.
    assert found.beside_with_ties.people.value == pytest.approx(counted_by_hand(place))
    first = audit_judge([Ruling(item.id, "A", "B") for item in items], items, imported.votes, plan=PLAN)
    assert first.agreement.value == 0.5


def counted_by_hand(place):
    right = asked = 0
    for row in json.loads(gzip.decompress(place.read_bytes())):
        labels = [row["annotator1"], row["annotator2"], row["annotator3"]]
        for number, label in enumerate(labels):
            one, two = labels[:number] + labels[number + 1 :]
            if one == two:
                asked += 1
                right += label == one
    return right / asked


@WITH_DATA
def test_on_llmbar_the_longer_answer_is_a_trap():
    place = Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences/llmbar.jsonl.gz"
    imported = import_llmbar(str(place), Options())
    rulings = [Ruling(item.id, longer(item), longer(item)) for item in imported.items]
    found = audit_judge(rulings, imported.items, imported.votes, judge="longer", plan=PLAN)
    assert found.items == 419
    assert found.beside is None
    by_tag = {part.tag: part.agreement.value for part in found.tags}
    rows = [json.loads(line) for line in gzip.decompress(place.read_bytes()).splitlines()]
    scores: dict[str, list[float]] = {}
    for row in rows:
        ahead = len(row["output_1"]) - len(row["output_2"])
        ahead = ahead if row["label"] == 1 else -ahead
        scores.setdefault(row["subset"], []).append(1 if ahead > 0 else 0.5 if ahead == 0 else 0)
    assert by_tag == pytest.approx({subset: sum(each) / len(each) for subset, each in scores.items()})

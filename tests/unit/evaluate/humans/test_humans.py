"""What people's votes add up to: by hand, against an independent estimate, and in repeated draws."""

import random
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import CollectSettings, FormSettings, Message, Origin, Vote
from prefloop.evaluate.estimate import Estimate, WinRate
from prefloop.evaluate.humans import (
    Contest,
    evaluation_settings,
    measure_round,
    read_result,
    round_items,
    section,
    share_two_ways,
    words,
    write_result,
)
from prefloop.evaluate.humans.two_ways import Score
from prefloop.evaluate.statistics import Plan, cross, share_over_seeds

PLAN = Plan(samples=1000)
BASE, TUNED = Origin("model", "small/base", "12ab"), Origin("model", "small/base + adapter", "34cd")


def contests(count, *, equal=0):
    rows = [Contest((Message("user", f"Question {n}"),), f"base {n}", f"tuned {n}", ("form",)) for n in range(count)]
    return rows + [Contest((Message("user", f"Same {n}"),), "the same ", "the same\n") for n in range(equal)]


def make_round(choices, *, equal=0, min_votes=2, refused=None):
    """A round in which prompt n got the n-th row of choices, by as many annotators."""
    items, same = round_items(contests(len(choices), equal=equal), BASE, TUNED)
    votes = [
        Vote(item.id, f"person {place}", choice, "A", status="discarded" if choice == "skip" else "submitted")
        for item, row in zip(items, choices, strict=True)
        for place, choice in enumerate(row)
    ]
    return items, measure_round(
        items, votes, queue="q.evaluation-1", equal=same, min_votes=min_votes, refused=refused or {}, plan=PLAN
    )


def test_every_prompt_is_in_one_count_and_the_rate_is_the_mean_over_prompts():
    rows = [("B", "B"), ("B", "tie"), ("A", "A"), ("tie", "both_bad"), ("B", "skip"), (), ("B", "A", "B")]
    items, found = make_round(rows, equal=1)
    assert (found.prompts, found.asked, len(found.equal)) == (8, 7, 1)
    assert (found.wins, found.ties, found.losses, found.split) == (3, 2, 1, 1)
    assert found.unlabelled == (items[5].prompt_id,)
    assert found.unfinished == (items[4].prompt_id,)
    assert found.choices == {"tuned": 6, "tie": 2, "base": 3, "both_bad": 1}
    assert found.not_counted == {"skip": 1}
    # By hand: six labelled prompts stand for the seven asked about, the equal one for itself.
    labelled = (1 + 0.75 + 0 + 0.5 + 1 + 2 / 3) / 6
    assert found.rate.value == pytest.approx((7 * labelled + 0.5) / 8)
    assert found.rate.low < found.rate.value < found.rate.high


def test_refused_prompts_are_in_no_count_and_named():
    items, _ = make_round([("B",), ("B",), ("A",)])
    _, found = make_round([("B",), (), ("A",)], refused={items[1].id: "too long"}, min_votes=1)
    assert found.refused == {items[1].prompt_id: "too long"}
    assert (found.asked, found.unlabelled, found.rate.value) == (2, (), 0.5)


def test_without_votes_there_is_no_rate_and_the_words_say_so():
    _, found = make_round([(), ()])
    assert found.rate is None
    assert found.verdict == "can't tell yet"
    assert words(found) == ("Nobody has voted yet on the 2 prompts in q.evaluation-1.",)
    assert "no votes yet" in section(found)


def test_all_for_one_side_is_better_but_not_certain():
    _, found = make_round([("B", "B")] * 40)
    assert found.verdict == "better"
    assert found.rate.value == 1
    assert 0.85 < found.rate.low < 0.95
    _, found = make_round([("A", "A")] * 40)
    assert found.verdict == "worse"


def test_votes_on_other_items_and_an_empty_round_are_refused():
    items, _ = make_round([("A",)])
    with pytest.raises(ValueError, match="not of this round"):
        measure_round(items, [Vote("x", "ann", "A", "A")], queue="q")
    with pytest.raises(ValueError, match="at least one prompt"):
        measure_round([], [], queue="q")


def table_scores(table):
    prompts = len(table[0])
    weight = 1 / (len(table) * prompts)
    return [
        Score(value, f"p{p}", f"a{a}", weight) for a, row in enumerate(table) for p, value in enumerate(row)
    ]  # fmt: skip


def test_where_everybody_votes_on_everything_it_is_the_crossed_estimate():
    """`statistics.cross` is an analysis of variance: another way to the same number."""
    draw = random.Random(3)
    people, prompts = [draw.gauss(0, 0.15) for _ in range(8)], [draw.gauss(0, 0.25) for _ in range(150)]
    table = [[float(draw.random() < min(1, max(0, 0.6 + a + p))) for p in prompts] for a in people]
    ours, theirs = (
        share_two_ways(table_scores(table), PLAN),
        share_over_seeds(table, [f"p{n}" for n in range(150)], PLAN),
    )
    assert ours.value == pytest.approx(theirs.value)
    assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.1)
    assert cross(table, [f"p{n}" for n in range(150)]).from_seeds > 0


def test_one_vote_a_prompt_by_one_annotator_is_a_plain_share():
    scores = [Score(float(n < 30), f"p{n}", "ann", 1 / 50) for n in range(50)]
    found = share_two_ways(scores, PLAN)
    assert found.value == pytest.approx(0.6)
    # Wilson for 30 of 50 is 46.2% to 72.4% (Brown, Cai and DasGupta 2001); Student and n - 1 make it a little wider.
    assert 0.44 < found.low < 0.462
    assert 0.724 < found.high < 0.75
    assert "their own variance unknown" in found.method


def test_an_annotator_who_always_says_the_same_widens_the_interval():
    """Four people each on a quarter of the prompts: two always say tuned, two toss a coin."""
    draw = random.Random(1)
    rows = [(n, "abcd"[n % 4]) for n in range(200)]
    by_person = [Score(1.0 if who in "ab" else float(draw.random() < 0.5), f"p{n}", who, 1 / 200) for n, who in rows]
    alone = [replace(score, annotator=score.prompt) for score in by_person]
    wide, narrow = share_two_ways(by_person, PLAN), share_two_ways(alone, PLAN)
    assert wide.value == narrow.value
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """600 queues drawn from a known population of prompts and people, shared out at random."""
    draw, held = random.Random(7), 0
    for _ in range(600):
        people = {f"a{n}": draw.gauss(0, 0.1) for n in range(6)}
        rows = []
        for number in range(60):
            lean = draw.gauss(0, 0.15)
            rows += [(number, who, 0.55 + lean + people[who]) for who in draw.sample(sorted(people), 3)]
        scores = [Score(float(draw.random() < chance), f"p{n}", who, 1 / 180) for n, who, chance in rows]
        found = share_two_ways(scores, Plan(1000, 0.9))
        held += found.low <= 0.55 <= found.high
    assert 0.86 <= held / 600 <= 0.97  # 90% asked for; binomial error of 600 draws is 1.2 points


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40)
)
def test_the_interval_holds_its_value_and_stays_a_share(rows):
    scores = [Score(value, f"p{p}", f"a{a}", 1 / len(rows)) for value, p, a in rows]
    found = share_two_ways(scores, PLAN)
    assert -1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1 + 1e-9


@pytest.mark.parametrize("weights", [(0.5, 0.4), (), (1.0, 1.0)])
def test_weights_that_are_no_mean_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        share_two_ways([Score(1.0, str(n), "a", weight) for n, weight in enumerate(weights)], PLAN)


def test_a_queue_of_an_evaluation_says_so_and_asks_for_nothing_that_trains(tmp_path):
    own = CollectSettings(
        items=tmp_path / "items.jsonl",
        guidelines=tmp_path / "guidelines.md",
        queue="replies",
        min_votes=2,
        form=FormSettings(kind="ranking", candidates=4, criteria={"accuracy": ""}, question="Put them in order"),
    )
    found = evaluation_settings(own, "12ab34cd")
    assert found.queue == "replies.evaluation-12ab34cd"
    assert (found.form.kind, found.form.candidates, found.form.question) == ("pairwise", 2, None)
    assert (found.form.edit, found.form.strength, found.form.criteria) == (False, False, {})
    assert found.form.tie
    assert found.form.both_bad
    assert (found.min_votes, found.guidelines, found.workspace) == (2, own.guidelines, own.workspace)


def test_equal_answers_are_not_asked_about():
    items, equal = round_items(contests(2, equal=1), BASE, TUNED)
    assert [item.response_a for item in items] == ["base 0", "base 1"]
    assert [item.origin_b for item in items] == [TUNED, TUNED]
    assert len(equal) == 1


def test_a_round_survives_its_file_and_is_shown_escaped(tmp_path):
    _, found = make_round([("B", "B"), ("A", "B"), ("tie", "tie")], equal=1)
    assert read_result(write_result(tmp_path / "result.json", found)) == found
    hostile = replace(found, queue="<script>alert(1)</script>")
    judged = WinRate("<b>judge</b>", Estimate(0.99, 0.98, 1.0, 4, "x"), 3, 1, 0, 1, 0)
    page = section(hostile, judged)
    assert "<script" not in page
    assert "<b>judge" not in page
    assert "audit the judge" not in page  # four prompts leave nearly everything open
    assert any("1 unscored" in sentence for sentence in words(found, judged))


def test_a_judge_that_people_contradict_is_named():
    _, found = make_round([("A", "A")] * 60)
    judged = WinRate("eager", Estimate(0.9, 0.85, 0.95, 60, "x"), 54, 0, 6, 0, 0)
    assert any("believe the people and audit the judge" in sentence for sentence in words(found, judged))


def test_people_who_agree_by_chance_only_are_said_to():
    _, found = make_round(list(product("AB", "AB")) * 20)
    assert any("mend the guidelines" in sentence for sentence in words(found))


def test_people_who_nearly_all_prefer_one_model_are_not_called_careless():
    """Alpha is near 0 where nearly every vote is the same, however well people agree."""
    _, found = make_round([("B", "B")] * 55 + [("B", "A"), ("A", "B")] * 2)
    assert found.agreement.alpha < 0.1
    assert not any("mend the guidelines" in sentence for sentence in words(found))

"""Which pairs are shown: the arms, their sizes, and that the random arm stays random."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin
from prefloop.collect.sampling.selection import SelectSettings, select
from prefloop.errors import UserError

ORIGIN = Origin("model", "m")


def pool(prompts, each=3):
    return [
        Item((Message("user", f"prompt {p}"),), f"a {p} {n}", f"b {p} {n}", ORIGIN, ORIGIN, ("tag",))
        for p in range(prompts)
        for n in range(each)
    ]


def scored(items, values):
    return {item.id: dict(enumerate(row)) for item, row in zip(items, values, strict=True)}


def arm(item):
    return item.tags[-1].removeprefix("arm:")


def test_without_a_selector_one_pair_a_prompt_is_drawn_at_random():
    items = pool(10)
    chosen = select(items, {}, SelectSettings())
    assert chosen.arms == {"random": 10}
    assert Counter(item.prompt_id for item in chosen.items).most_common(1)[0][1] == 1
    assert {item.tags for item in chosen.items} == {("tag", "arm:random")}
    assert len(chosen.not_selected) == 20


def test_another_seed_draws_others_and_the_same_seed_the_same_in_any_order():
    items = pool(30)
    first = {item.id for item in select(items, {}, SelectSettings()).items}
    shuffled = random.Random(1).sample(items, len(items))
    assert {item.id for item in select(shuffled, {}, SelectSettings()).items} == first
    assert {item.id for item in select(items, {}, SelectSettings(seed=1)).items} != first


@pytest.mark.parametrize(
    ("by", "wanted"), [("uncertainty", {0.5, 0.52}), ("margin", {0.02, 0.99}), ("disagreement", set())]
)
def test_a_selector_takes_its_extremes_and_leaves_a_share_to_chance(by, wanted):
    items = pool(10, each=1)
    values = [[p] for p in (0.5, 0.52, 0.7, 0.8, 0.6, 0.9, 0.99, 0.02, 0.3, 0.75)]
    if by == "disagreement":
        values = [[0.5, 0.5 + n / 20] for n in range(10)]
    chosen = select(items, scored(items, values), SelectSettings(by=by, count=4, control=0.5))
    assert chosen.arms == {"random": 2, by: 2}
    by_id = {item.id: row for item, row in zip(items, values, strict=True)}
    taken = {by_id[item.id][-1] for item in chosen.items if arm(item) == by}
    at_random = {by_id[item.id][-1] for item in chosen.items if arm(item) == "random"}
    expected = wanted or {0.95, 0.9}
    # What chance took first is not there for the selector any more.
    assert expected - at_random <= taken


def test_a_selector_without_scores_says_what_to_run():
    with pytest.raises(UserError, match="collect score"):
        select(pool(3), {}, SelectSettings(by="margin"))
    items = pool(2, each=1)
    with pytest.raises(UserError, match="two scorers"):
        select(items, scored(items, [[0.1], [0.2]]), SelectSettings(by="disagreement"))


def test_unscored_items_are_counted_and_only_chance_can_draw_them():
    items = pool(20, each=1)
    chosen = select(items, scored(items[:5], [[0.5]] * 5), SelectSettings(by="margin", control=0.2))
    assert set(chosen.unscored) == {item.id for item in items[5:]}
    assert not {item.id for item in chosen.items if arm(item) == "margin"} & set(chosen.unscored)


@given(
    prompts=st.integers(1, 8),
    each=st.integers(1, 4),
    count=st.none() | st.integers(1, 40),
    per_prompt=st.integers(1, 4),
    control=st.floats(0.01, 1),
    by=st.sampled_from(["random", "uncertainty", "margin"]),
)
def test_every_item_is_chosen_once_or_counted(prompts, each, count, per_prompt, control, by):
    items = pool(prompts, each)
    settings = SelectSettings(by=by, count=count, per_prompt=per_prompt, control=control)
    chosen = select(items, scored(items, [[n / len(items)] for n in range(len(items))]), settings)
    ids = [item.id for item in chosen.items]
    assert sorted([*ids, *chosen.not_selected]) == sorted(item.id for item in items)
    assert len(ids) <= (count or len(items))
    assert max(Counter(item.prompt_id for item in chosen.items).values()) <= per_prompt
    assert chosen.arms["random"] >= 1
    assert sum(chosen.arms.values()) == len(ids)


def test_the_random_arm_is_a_fair_draw():
    items = pool(200, each=1)
    values = [[n / 200] for n in range(200)]
    place = {item.id: n for n, item in enumerate(items)}
    means = []
    for seed in range(30):
        settings = SelectSettings(by="margin", count=100, control=0.3, seed=seed)
        chosen = select(items, scored(items, values), settings)
        drawn = [place[item.id] for item in chosen.items if arm(item) == "random"]
        assert len(drawn) == 30
        means.append(sum(drawn) / len(drawn))
    # The mean of 900 draws from 0..199 has a standard error of about 1.9 around 99.5.
    assert abs(sum(means) / len(means) - 99.5) < 8

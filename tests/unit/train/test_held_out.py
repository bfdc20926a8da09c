import random
from dataclasses import replace

import pytest
from prefloop.collect import Message, PreferencePair
from prefloop.errors import UserError
from prefloop.train.watching.held_out import HeldOutSettings, Split, hold_out, split
from pydantic import ValidationError


def pair(prompt, answer="yes"):
    return PreferencePair((Message("user", prompt),), answer, "no", 1.0, "item", ("vote",))


def questions(count):
    """Prompts with hardly a word in common."""
    draw = random.Random(0)
    return [" ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(8)) for _ in range(count)]


def several(count):
    return [pair(question, answer) for question in questions(count) for answer in ("yes", "perhaps")]


def test_no_prompt_stands_on_both_sides_and_nothing_is_lost():
    pairs = several(100)
    kept, held = hold_out(pairs, 0.2, seed=0)
    assert {one.prompt_id for one in kept}.isdisjoint(one.prompt_id for one in held)
    assert sorted(one.id for one in kept + held) == sorted(one.id for one in pairs)
    assert len({one.prompt_id for one in held}) == 20


def test_the_draw_depends_on_the_seed_and_not_on_the_order():
    pairs = several(60)
    shuffled = random.Random(1).sample(pairs, len(pairs))
    held = {one.id for one in hold_out(pairs, 0.25, seed=3)[1]}
    assert held == {one.id for one in hold_out(shuffled, 0.25, seed=3)[1]}
    assert held != {one.id for one in hold_out(pairs, 0.25, seed=4)[1]}


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_stay_together(seed):
    twins = [pair(question + mark) for question in questions(12) for mark in ("?", " now?")]
    kept, held = hold_out(twins, 0.3, seed=seed)
    assert {one.prompt[0].content[:50] for one in kept}.isdisjoint(one.prompt[0].content[:50] for one in held)
    assert len(held) == 6


def test_prompts_that_are_all_alike_cannot_be_split():
    with pytest.raises(UserError, match="too alike"):
        hold_out([pair("How do I clean my kettle at home?"), pair("How do I clean my kettle at home!")], 0.5, seed=0)


def test_small_sets_are_left_whole_and_large_ones_give_up_no_more_than_asked():
    pairs = several(100)  # 200 pairs
    assert split(pairs, HeldOutSettings()) == Split(tuple(pairs), (), {})
    parts = split(pairs, HeldOutSettings(at_least=10))
    assert (len(parts.training), len(parts.held_out)) == (180, 20)
    assert set(parts.clusters) == {pair.prompt_id for pair in parts.held_out}
    assert len(split(pairs, HeldOutSettings(share=0.5, at_most=60)).held_out) == 60
    assert split(pairs, HeldOutSettings(share=0.0, at_least=2)).held_out == ()


def test_near_duplicates_share_a_cluster_and_ties_are_not_measured():
    twins = [pair(question + mark) for question in questions(12) for mark in ("?", " now?")]
    tied = [replace(one, kind="tie") for one in twins[:12]] + twins[12:]
    parts = split(tied, HeldOutSettings(share=0.5, at_least=2))
    assert len(parts.held_out) == 12
    assert len(set(parts.clusters.values())) == 6
    assert parts.measured == [one for one in parts.held_out if one.kind != "tie"]


def test_a_training_that_is_to_stop_by_held_out_pairs_needs_some():
    with pytest.raises(UserError, match="fewer than at_least 50"):
        split(several(100), HeldOutSettings(patience=2))
    alike = [pair("How do I clean my kettle at home?", str(number)) for number in range(40)]
    with pytest.raises(UserError, match="too alike"):
        split(alike, HeldOutSettings(at_least=2, patience=2))
    assert split(alike, HeldOutSettings(at_least=2)).held_out == ()
    for wrong in ({"share": 0.0, "patience": 1}, {"at_least": 20, "at_most": 10}):
        with pytest.raises(ValidationError):
            HeldOutSettings.model_validate(wrong)

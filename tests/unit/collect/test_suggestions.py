"""Suggestions: who sees one, and what seeing it did."""

import random

import pytest
from prefloop.collect.sampling.suggestions import Suggestion, SuggestionSettings, is_shown, suggest, suggestion_effect
from prefloop.collect.vote import Vote

KEY = b"key"


def votes(seen_agreement, unseen_agreement, items=400, each=2):
    draw = random.Random(0)
    for number in range(items):
        seen = number % 2 == 0
        chance = seen_agreement if seen else unseen_agreement
        for person in range(each):
            choice = "A" if draw.random() < chance else "B"
            yield Vote(f"i{number}", f"p{person}", choice, "A", suggestion_seen=seen)


SUGGESTED = {f"i{number}": Suggestion("A", 0.9, "judge:x") for number in range(400)}


def test_a_score_becomes_a_choice_with_its_confidence():
    scores = {"i1": {"judge:x": 0.9}, "i2": {"judge:x": 0.2}, "i3": {"judge:x": 0.5}, "i4": {"other": 1.0}}
    found = suggest(scores, SuggestionSettings(scorer="judge:x"))
    assert {item: (row.choice, row.score) for item, row in found.items()} == {
        "i1": ("A", 0.9), "i2": ("B", 0.8), "i3": ("tie", 0.5),
    }  # fmt: skip


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_coin_shows_the_share_asked_for(share):
    shown = [is_shown(KEY, f"item {number}", share) for number in range(4000)]
    assert abs(sum(shown) / 4000 - share) < 0.04
    assert shown == [is_shown(KEY, f"item {number}", share) for number in range(4000)]


def test_an_effect_is_found_where_there_is_one():
    effect = suggestion_effect(list(votes(0.9, 0.6)), SUGGESTED)
    assert effect is not None
    assert (effect.shown, effect.hidden) == (400, 400)
    assert effect.low > 0.15
    assert effect.low < effect.difference < effect.high


def test_no_effect_is_claimed_where_there_is_none():
    effect = suggestion_effect(list(votes(0.7, 0.7)), SUGGESTED)
    assert effect is not None
    assert effect.low < 0 < effect.high


def test_without_both_arms_nothing_is_said():
    assert suggestion_effect([Vote("i1", "p", "A", "A", suggestion_seen=True)], SUGGESTED) is None
    assert suggestion_effect([], {}) is None


def test_a_share_of_all_or_none_is_refused():
    for share in (0, 1):
        with pytest.raises(ValueError, match="share"):
            SuggestionSettings(scorer="judge:x", share=share)

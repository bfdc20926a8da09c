"""What other people's cards say is checked before it is believed, and cleaned before it is shown."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import UserError
from prefloop.publish.finding.entry import LONGEST, UNPRINTABLE, card_text, card_texts, check_block, plain, read_block

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def test_a_block_as_prefloop_writes_it_is_read(card):
    block = read_block(card)
    assert (block.task, block.verdict, block.parameters) == ("Sorts support e-mails.", "better", 135_000_000)
    assert (block.headline.low, block.headline.high, block.headline.n) == (0.6, 0.8, 62)
    assert block.difference.value == 0.5
    assert [(score.task, score.low) for score in block.results] == [("task_check", 0.45)]
    assert block.contamination is None


def test_a_card_without_the_key_says_so():
    with pytest.raises(UserError, match="no key prefloop"):
        read_block({"license": "mit"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"headline": {"name": "x", "value": 0.9}}, r"prefloop\.headline\.low"),
        ({"headline": {"name": "x", "value": 0.9, "low": 0.8, "high": 0.7, "n": 5}}, "interval goes from 0.8 to 0.7"),
        ({"headline": {"name": "x", "value": float("nan"), "low": 0, "high": 1, "n": 5}}, "finite"),
        ({"difference": None}, r"prefloop\.difference"),
        ({"verdict": "best"}, r"prefloop\.verdict"),
        ({"confidence": 2}, r"prefloop\.confidence"),
        ({"results": "all"}, r"prefloop\.results"),
        ({"parameters": -1}, r"prefloop\.parameters"),
        ({"task": ["x"]}, r"prefloop\.task"),
    ],
)
def test_what_is_not_as_prefloop_writes_it_is_refused_by_name(card, change, said):
    with pytest.raises(UserError, match=said):
        check_block(card["prefloop"] | change)


@given(VALUES)
def test_nothing_in_a_cards_place_of_the_block_is_a_crash(found):
    with pytest.raises(UserError):
        check_block(found)


@given(VALUES, st.sampled_from(["headline", "difference", "results", "task", "verdict", "contamination", "parameters"]))
def test_nothing_in_a_blocks_key_is_a_crash(found, key):
    score = {"name": "x", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3}
    block = {"task": "t", "verdict": "worse", "confidence": 0.95, "headline": score, "difference": score}
    with suppress(UserError):
        read = check_block(block | {key: found})
        assert read.headline.low <= read.headline.high
        assert read.verdict in ("better", "worse", "can't tell yet")


@given(st.text())
def test_no_text_moves_the_cursor_or_turns_the_direction(text):
    clean = plain(text)
    assert not UNPRINTABLE.search(clean)
    assert len(clean) <= LONGEST
    assert plain(clean) == clean


def test_a_terminals_escapes_go():
    assert plain("a\x1b[2Jb\u202ec\r\nd\u200be\x9b1m") == "a [2Jb c d e 1m"


@given(VALUES)
def test_texts_of_a_card_are_texts_whatever_stands_there(found):
    many = card_texts({"language": found}, "language")
    assert all(isinstance(one, str) for one in many)
    assert card_text({"language": found}, "language") == (many[0] if many else "")


def test_a_key_may_have_one_text_or_several():
    assert card_texts({"language": "en"}, "language") == ("en",)
    assert card_texts({"language": ["en", "de", 3, " "]}, "language") == ("en", "de")
    assert card_texts({}, "language") == ()

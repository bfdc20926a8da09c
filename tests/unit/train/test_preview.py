"""The first pair, token by token."""

from dataclasses import replace

from prefloop.collect import Message
from prefloop.train import TrainSettings
from prefloop.train.checks.preview import preview


def text(tokens):
    return "".join(token.text for token in tokens)


def test_the_pieces_together_are_the_text_letters_of_several_bytes_too(tokenizer, make_pair):
    seen = preview([make_pair("Größe?", "viel größer 🙂", "nö")], TrainSettings(), tokenizer)
    assert text(seen.prompt) == "<s><user>Größe?\n<assistant>"
    assert text(seen.chosen) == "viel größer 🙂</s>\n"
    assert text(seen.rejected) == "nö</s>\n"
    assert {token.fate for token in seen.prompt} == {"read"}
    assert {token.fate for token in (*seen.chosen, *seen.rejected)} == {"scored"}


def test_what_max_length_cuts_is_marked(tokenizer, make_pair):
    pair = make_pair("Question 0?", "abcdef", "abc")
    seen = preview([pair], TrainSettings(max_length=15 + 4), tokenizer)
    assert text(token for token in seen.chosen if token.fate == "scored") == "abcd"
    assert text(token for token in seen.chosen if token.fate == "cut") == "ef</s>\n"
    assert text(token for token in seen.rejected if token.fate == "cut") == "\n"
    assert seen.pair_id == pair.id


def test_pairs_that_are_not_trained_on_are_passed_over(tokenizer, make_pair):
    broken, long, good = replace(make_pair(), prompt=(Message("system", "?"),)), make_pair("x" * 99), make_pair()
    assert preview([broken, long, good], TrainSettings(max_length=50), tokenizer).pair_id == good.id
    assert preview([broken, long], TrainSettings(max_length=50), tokenizer) is None

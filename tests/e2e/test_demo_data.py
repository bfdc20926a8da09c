"""Length does not tell which answer was chosen, in the model's own tokens either."""

from pathlib import Path

import pytest
from prefloop.collect import make_pairs, read_items, read_votes
from prefloop.models import load_tokenizer

FOLDER = Path(__file__).parents[2] / "recipes" / "demo"
TAGS = ("form", "substance", "team:delivery", "team:returns", "team:billing", "team:product", "team:account")


@pytest.mark.parametrize("tag", [None, *TAGS])
def test_neither_length_rule_works_in_tokens(small_model, tag):
    tokenizer = load_tokenizer(small_model.path)
    pairs = make_pairs(read_items(FOLDER / "items.jsonl"), read_votes(FOLDER / "votes.jsonl")).pairs
    lengths = [
        [len(tokenizer.encode(text)) for text in (pair.chosen, pair.rejected)]
        for pair in pairs
        if pair.kind == "vote" and (tag is None or tag in pair.tags)
    ]
    assert len(lengths) > 40
    longer = sum((chosen > rejected) + (chosen == rejected) / 2 for chosen, rejected in lengths) / len(lengths)
    assert 0.45 <= longer <= 0.55

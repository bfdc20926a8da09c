import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin, read_items, read_votes, write_rows
from prefloop.errors import Problems, UserError


@settings(deadline=None, max_examples=50)
@given(text=st.lists(st.text(), min_size=2, max_size=2, unique=True), prompt=st.text())
def test_written_items_come_back(tmp_path_factory, text, prompt):
    path = tmp_path_factory.mktemp("rows") / "items.jsonl"
    item = Item(
        (Message("user", prompt),), *text, Origin("model", "m", "r", sampling={"seed": 1}), Origin("person", "x")
    )
    write_rows(path, [item])
    assert read_items(path) == [item]


def test_all_problems_of_a_file_are_shown_at_once(make_item, tmp_path):
    path = tmp_path / "items.jsonl"
    write_rows(path, [make_item()])
    good = json.loads(path.read_text())
    rows = [
        good,
        good | {"response_a": True},
        good | {"colour": "red"},
        {k: v for k, v in good.items() if k != "prompt"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nnot json\n")
    with pytest.raises(Problems) as raised:
        read_items(path)
    text = str(raised.value)
    assert "line 2: response_a: Input should be a valid string, got 'True'" in text
    assert "line 3: colour" in text
    assert "line 4: prompt: Field required" in text
    assert "line 5:" in text
    assert "line 1:" not in text


def test_an_item_that_stands_twice_is_refused_with_both_lines(make_item, tmp_path):
    path = tmp_path / "items.jsonl"
    write_rows(path, [make_item(), make_item(a="else"), make_item()])
    with pytest.raises(Problems, match="line 3: the same item as line 1"):
        read_items(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="can't be read"):
        read_votes(tmp_path / "none.jsonl")

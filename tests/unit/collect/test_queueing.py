"""What the recipe asks of a queue's order, and what a stock Argilla can't do of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from prefloop.collect import Item, Message, Origin, QueueingSettings, check_places, missing_on_stock, read_gold
from prefloop.collect.queues.queueing import places
from prefloop.errors import Problems, UserError

ORIGIN = Origin("person", "author")
ITEMS = [
    Item((Message("user", f"Question {n}?"),), "yes", "no", ORIGIN, ORIGIN, tags=("code",) if n % 2 else ("form",))
    for n in range(4)
]
IDS = [item.id for item in ITEMS]


def test_nothing_asked_is_no_plan() -> None:
    assert not QueueingSettings().asks
    assert places(QueueingSettings(), ITEMS) == []
    assert missing_on_stock(QueueingSettings(), 3) is None


def test_the_order_of_the_items_or_of_a_file(tmp_path: Path) -> None:
    assert [row.priority for row in places(QueueingSettings(priority="items"), ITEMS)] == [0, 1, 2, 3]
    (tmp_path / "order").write_text(f"{IDS[2]}\n\n{IDS[0]}\n{IDS[2]}\n")
    rows = places(QueueingSettings(priority=tmp_path / "order"), ITEMS)
    assert {row.item_id: row.priority for row in rows} == {IDS[2]: 0, IDS[0]: 1}


def test_items_are_assigned_by_tag_and_by_id() -> None:
    settings = QueueingSettings(assign={"ann": "code", "bob": ("code", IDS[0])})
    rows = {row.item_id: row.assigned_to for row in places(settings, ITEMS)}
    assert rows == {IDS[0]: ("bob",), IDS[1]: ("ann", "bob"), IDS[3]: ("ann", "bob")}


def gold(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_gold_answers_stay_here(tmp_path: Path) -> None:
    path = gold(tmp_path, {"item_id": IDS[1], "choice": "B"}, {"item_id": IDS[2], "choice": "tie"})
    assert read_gold(path) == {IDS[1]: "B", IDS[2]: "tie"}
    rows = places(QueueingSettings(gold=path), ITEMS)
    assert [row.item_id for row in rows if row.gold] == [IDS[1], IDS[2]]
    assert not any("choice" in name for name in type(rows[0]).__slots__)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"item_id": IDS[0]}, "line 2: expected"),
        ({"item_id": IDS[0], "choice": "skip"}, "no answer that can be right"),
        ({"item_id": IDS[1], "choice": "A"}, "was answered before"),
        ("text", "line 2: expected"),
    ],
)
def test_bad_gold_is_named(tmp_path: Path, row: Any, words: str) -> None:
    with pytest.raises(Problems, match=words):
        read_gold(gold(tmp_path, {"item_id": IDS[1], "choice": "B"}, row))


def test_what_names_no_item_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "order").write_text("nowhere\n")
    path = gold(tmp_path, {"item_id": "gone", "choice": "A"})
    settings = QueueingSettings(priority=tmp_path / "order", assign={"ann": "cod"}, gold=path)
    with pytest.raises(Problems) as caught:
        check_places(settings, ITEMS)
    text = str(caught.value)
    assert all(word in text for word in ("'nowhere'", "'cod'", "'gone'"))
    check_places(QueueingSettings(priority="items", assign={"ann": "code"}), ITEMS)
    with pytest.raises(UserError, match="can't be read"):
        places(QueueingSettings(priority=tmp_path / "missing"), ITEMS)


def test_one_sentence_says_what_a_stock_server_lacks(tmp_path: Path) -> None:
    settings = QueueingSettings(exact_overlap=True, priority="items", assign={"ann": "code"}, gold=tmp_path / "gold")
    sentence = missing_on_stock(settings, 3)
    assert sentence is not None
    for word in ("3 votes an item are a minimum", "sort by hand", "1 people would see", "random places"):
        assert word in sentence

import stat
from collections import Counter

from prefloop.collect import read_side_key
from prefloop.collect.sides import left_of, left_side, shown_order


def test_the_key_is_drawn_once_and_kept_private(tmp_path):
    key = read_side_key(tmp_path / "side_key")
    assert read_side_key(tmp_path / "side_key") == key
    assert stat.S_IMODE((tmp_path / "side_key").stat().st_mode) == 0o600


def test_sides_are_a_fair_coin_that_the_item_alone_does_not_tell():
    ids = [f"{number:016x}" for number in range(2000)]
    sides = {key: [left_side(key, item_id) for item_id in ids] for key in (b"one", b"two")}
    for drawn in sides.values():
        assert 900 < drawn.count("A") < 1100  # 4.5 standard deviations
    agree = sum(a == b for a, b in zip(*sides.values(), strict=True))
    assert 900 < agree < 1100


def test_every_order_of_several_candidates_is_equally_likely_and_two_keep_their_coin():
    orders = Counter(shown_order(b"key", f"{number:016x}", 4) for number in range(4800))
    assert len(orders) == 24
    assert max(abs(count - 200) for count in orders.values()) < 65  # 4.6 standard deviations
    assert {shown_order(b"key", "0" * 16, 10) != shown_order(b"other", "0" * 16, 10)} == {True}
    for item_id in (f"{number:016x}" for number in range(50)):
        order = shown_order(b"key", item_id, 2)
        assert sorted(order) == ["A", "B"]
        assert order[0] == left_of(order) == left_side(b"key", item_id)

import stat

from prefloop.collect import read_side_key
from prefloop.collect.sides import left_side


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

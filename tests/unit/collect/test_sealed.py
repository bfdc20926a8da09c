import pytest
from prefloop.collect import PreferencePair, open_seal, refuse_sealed, seal, split_pairs
from prefloop.errors import UserError
from prefloop.runs import read_lines


def pair(item, kind="vote"):
    return PreferencePair(item.prompt, item.response_a, item.response_b, 1.0, item.id, ("v",), kind)


def test_whole_prompts_are_sealed_and_a_second_call_changes_nothing(make_item, tmp_path):
    items = [make_item(prompt=f"p{n // 2}", a=f"a{n}") for n in range(40)]
    sealed = seal(items, 0.25, 0, tmp_path / "sealed.json")
    assert len(sealed.prompt_ids) == 5
    assert seal(items[:4], 0.9, 7, tmp_path / "sealed.json") == sealed
    assert seal(list(reversed(items)), 0.25, 0, tmp_path / "again.json") == sealed
    assert seal(items, 0.25, 1, tmp_path / "other.json") != sealed


def test_no_sealed_prompt_reaches_training(make_item, tmp_path):
    items = [make_item(prompt=f"p{n}") for n in range(20)]
    sealed = seal(items, 0.3, 0, tmp_path / "sealed.json")
    pairs = [pair(item, kind) for item in items for kind in ("vote", "edit_over_rejected")]
    training, held_out = split_pairs(pairs, sealed)
    assert len(training) == 28
    assert len(held_out) == 6
    assert {row.prompt_id for row in training}.isdisjoint(sealed.prompt_ids)
    refuse_sealed(training, sealed)
    with pytest.raises(UserError, match="1 pairs have sealed prompts"):
        refuse_sealed([*training, held_out[0]], sealed)


def test_openings_are_counted_and_logged(make_item, tmp_path):
    path = tmp_path / "sealed.json"
    seal([make_item()], 0.5, 0, path)
    assert [open_seal(path, reason) for reason in ("first", "first", "second", "first")] == [1, 1, 2, 3]
    assert [row["reason"] for row in read_lines(tmp_path / "openings.jsonl")] == ["first", "second", "first"]

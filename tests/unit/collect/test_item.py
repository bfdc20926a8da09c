from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Candidate, Origin


def test_the_id_is_the_content_and_nothing_else(make_item):
    item = make_item()
    assert replace(item, tags=("x",)).id == item.id
    assert replace(item, origin_a=Origin("model", "m", "r")).id != item.id
    assert replace(item, response_a=item.response_b, response_b=item.response_a).id != item.id
    assert make_item(prompt="Where is my parcel? ").prompt_id != item.prompt_id


@given(st.text(), st.text(), st.text())
def test_boundaries_between_texts_are_part_of_the_id(prompt, a, b):
    from prefloop.collect import Item, Message

    origin = Origin("person", "x")
    one = Item((Message("user", prompt),), a, b, origin, origin)
    moved = Item((Message("user", prompt + "|"),), a, b, origin, origin)
    assert one.id != moved.id
    assert len(one.id) == 16


def test_further_candidates_are_part_of_the_id_and_two_candidates_keep_theirs(make_item):
    item = make_item()
    assert item.id == "0e8cc37769ad9c11"
    third = Candidate("Third answer", item.origin_a)
    assert replace(item, more=(third,)).id != item.id
    assert replace(item, more=(third, Candidate("Fourth", item.origin_b))).id != replace(item, more=(third,)).id
    assert replace(item, more=(third,)).prompt_id == item.prompt_id
    assert [candidate.response for candidate in replace(item, more=(third,)).candidates][1:] == [
        item.response_b,
        "Third answer",
    ]

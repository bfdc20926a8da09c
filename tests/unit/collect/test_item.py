from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Origin


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

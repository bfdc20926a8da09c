import pytest
from prefloop.collect import Item, Message, Origin, Vote

WRITER = Origin("person", "author")


@pytest.fixture
def make_item():
    def make(prompt="Where is my parcel?", a="It is on its way.", b="Please wait.", tags=()):
        return Item((Message("user", prompt),), a, b, WRITER, WRITER, tags)

    return make


@pytest.fixture
def make_vote():
    def make(item, annotator, choice, **more):
        return Vote(item.id, annotator, choice, left="A", id=f"{item.id}-{annotator}", **more)

    return make

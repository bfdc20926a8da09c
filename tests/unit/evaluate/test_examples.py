from prefloop.collect import Message
from prefloop.evaluate.examples import filters, marks
from prefloop.evaluate.parts import Example


def example(name, outcome, *tags):
    return Example(name, (Message("user", "q"),), "a", "b", tags, outcome)


SHOWN = [example("1", "win", "<b>", "form"), example("2", "loss", "form"), example("3", "win")]


def test_outcomes_and_tags_become_filters_with_counts():
    won, kind = filters(SHOWN)
    assert [(one.value, one.count) for one in won.choices] == [("win", 2), ("loss", 1)]
    assert [(one.value, one.count) for one in kind.choices] == [("<b>", 1), ("form", 2)]


def test_marks_hold_numbers_only_since_tags_may_hold_anything():
    shown = filters(SHOWN)
    assert [marks(one, shown) for one in SHOWN] == ["outcome-1 tag-1 tag-2", "outcome-2 tag-2", "outcome-1"]


def test_what_all_examples_share_is_no_filter():
    assert filters([example("1", "win", "form"), example("2", "win", "form")]) == ()
    assert filters([]) == ()

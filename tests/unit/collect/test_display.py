import json
from dataclasses import replace

from prefloop.collect import Candidate, FormSettings, Item, Origin
from prefloop.collect.queues.display import fields, record, unshowable

WRITER = Origin("person", "author")
RANKING = FormSettings(kind="ranking", candidates=4)


def test_a_record_tells_nothing_of_origins_tags_or_sides(make_item):
    item = make_item(tags=("secret-tag",))
    shown = record(item, "BA", FormSettings())
    assert set(shown) == {"external_id", "fields", "metadata"}
    assert set(shown["fields"]) == {"prompt", "answer_1", "answer_2"}
    assert shown["fields"]["answer_1"] == item.response_b
    assert "secret-tag" not in json.dumps(shown)
    assert "author" not in json.dumps(shown)


def test_every_candidate_stands_where_the_order_says(make_item):
    item = replace(make_item(a="a", b="b"), more=(Candidate("c", WRITER), Candidate("d", WRITER)))
    shown = record(item, "CADB", RANKING)["fields"]
    assert [shown[f"answer_{place}"] for place in range(1, 5)] == ["c", "a", "d", "b"]
    assert set(shown) == {row["name"] for row in fields(RANKING)}


def test_html_is_shown_letter_by_letter_and_never_rendered(make_item):
    item = make_item(a="Use <b>&amp;</b> <img src=x>")
    shown = record(item, "AB", FormSettings())["fields"]["answer_1"]
    assert shown == "Use &lt;b&gt;&amp;amp;&lt;/b&gt; &lt;img src=x&gt;"


def test_items_that_a_form_cannot_show_are_refused_in_words(make_item):
    def why(item, form=RANKING):
        return unshowable(item, form) or ""

    four = replace(make_item(a="a", b="b"), more=(Candidate("c", WRITER), Candidate("d", WRITER)))
    assert why(four) == ""
    assert "has 2 candidates; this queue's form shows 4" in why(make_item())
    assert "has 4 candidates; this queue's form shows 2" in why(four, FormSettings())
    assert "some responses are the same" in why(replace(four, more=(Candidate("a", WRITER), Candidate("d", WRITER))))
    assert "no message" in why(Item((), "a", "b", WRITER, WRITER), FormSettings())
    assert "empty message" in why(make_item(prompt=""), FormSettings())
    # The limit is Argilla's, and Argilla counts what it is given: `<` is four characters there.
    assert why(make_item(prompt="x" * 20_000), FormSettings()) == ""
    assert "longer than Argilla's 20000" in why(make_item(prompt="<" * 5_001), FormSettings())

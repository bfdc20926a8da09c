import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import CollectSettings, Vote
from prefloop.collect.questions import answer, protocol, questions, read_answer, record

SETTINGS = CollectSettings(items=Path("i"), guidelines=Path("g"), queue="q", strength=True, criteria=("accuracy",))
TEXT = st.none() | st.text(min_size=1)


@given(
    st.sampled_from(["A", "B", "tie", "both_bad", None]),
    st.sampled_from(["A", "B"]),
    st.none() | st.integers(1, 4),
    TEXT,
    TEXT,
)
def test_what_is_answered_is_what_is_read(choice, left, strength, critique, edit):
    criteria = {"accuracy": 3} if strength else {}
    vote = Vote("i", "ann", choice, left, strength=strength, criteria=criteria, critique=critique, edit=edit)
    read = read_answer(answer(vote), left)
    assert read == {
        "choice": choice,
        "strength": strength,
        "criteria": criteria,
        "critique": critique,
        "edit": edit,
    }


def test_the_same_click_means_the_other_candidate_when_the_sides_are_swapped():
    clicked = {"preference": {"value": "first"}}
    assert [read_answer(clicked, left)["choice"] for left in ("A", "B")] == ["A", "B"]


def test_a_record_tells_nothing_of_origins_tags_or_sides(make_item):
    item = make_item(tags=("secret-tag",))
    shown = record(item, "B")
    assert set(shown) == {"external_id", "fields", "metadata"}
    assert set(shown["fields"]) == {"prompt", "answer_1", "answer_2"}
    assert shown["fields"]["answer_1"] == item.response_b
    assert "secret-tag" not in json.dumps(shown)
    assert "author" not in json.dumps(shown)


def test_the_protocol_changes_with_whatever_is_shown():
    base = protocol(SETTINGS, "read this")
    assert protocol(SETTINGS, "read that") != base
    assert protocol(SETTINGS.model_copy(update={"edit": False}), "read this") != base
    assert protocol(SETTINGS.model_copy(update={"min_votes": 5}), "read this") == base


def test_only_the_preference_must_be_answered():
    assert [row["name"] for row in questions(SETTINGS) if row["required"]] == ["preference"]


def test_html_is_shown_letter_by_letter_and_never_rendered(make_item):
    shown = record(make_item(a="Use <b>&amp;</b> <img src=x>"), "A")["fields"]["answer_1"]
    assert shown == "Use &lt;b&gt;&amp;amp;&lt;/b&gt; &lt;img src=x&gt;"

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import FormSettings, Vote
from prefloop.collect.item import LETTERS
from prefloop.collect.queues.questions import answer, compare, protocol, questions, read_answer

FORM = FormSettings(strength=True, criteria={"accuracy": "Says nothing that is not so.", "tone": ""})
RANKING = FormSettings(kind="ranking", candidates=4, criteria={"tone": ""}, rate="each")
TEXT = st.none() | st.text(min_size=1) | st.just("<img src=x onerror=alert(1)>\0\u202e\u2028{{ x }}" * 2000)
RATINGS = st.dictionaries(st.sampled_from(["accuracy", "tone", "1-odd-name"]), st.integers(1, 5))


def names(form):
    return [row["name"] for row in questions(form)]


@given(
    st.sampled_from(["A", "B", "tie", "both_bad", None]),
    st.sampled_from(["AB", "BA"]),
    st.none() | st.integers(1, 4),
    RATINGS,
    st.dictionaries(st.sampled_from("AB"), RATINGS.filter(bool)),
    TEXT,
    TEXT,
)
def test_a_comparison_comes_back_as_it_was_answered(choice, order, strength, criteria, ratings, critique, edit):
    more = {"strength": strength, "criteria": criteria, "ratings": ratings, "critique": critique, "edit": edit}
    vote = Vote("i", "ann", choice, order[0], **more)
    assert read_answer(answer(vote), order) == {"choice": choice, "ranking": None, "order": "", **more}


@given(st.data(), st.integers(2, 10), TEXT, TEXT)
def test_a_ranking_comes_back_with_its_ties_and_gaps(data, count, critique, edit):
    order = "".join(data.draw(st.permutations(LETTERS[:count])))
    ranking = tuple(data.draw(st.lists(st.none() | st.integers(1, count), min_size=count, max_size=count)))
    ratings = data.draw(st.dictionaries(st.sampled_from(order), RATINGS.filter(bool)))
    read = {"choice": compare(*ranking[:2]), "strength": None, "criteria": {}, "ratings": ratings}
    read |= {"ranking": ranking, "order": order, "critique": critique, "edit": edit}
    left = "A" if order.index("A") < order.index("B") else "B"
    assert read_answer(answer(Vote("i", "ann", left=left, **read)), order) == read


def test_the_same_click_means_the_other_candidate_when_the_sides_are_swapped():
    clicked = {"preference": {"value": "first"}}
    assert [read_answer(clicked, order)["choice"] for order in ("AB", "BA")] == ["A", "B"]


@pytest.mark.parametrize(
    "answered",
    [
        {"preference": {"value": "third"}},
        {"ranking": {"value": [{"value": "3", "rank": 1}]}},
        {"rating-0-tone": {"value": 3}},
        {"strength": {"value": "much"}},
    ],
)
def test_an_answer_that_the_form_does_not_offer_is_an_error(answered):
    with pytest.raises(ValueError, match=r".+"):
        read_answer(answered, "AB")


def test_the_protocol_changes_with_whatever_is_shown():
    base = protocol(FORM, "read this")
    assert protocol(FORM, "read that") != base
    others = [
        {"edit": False},
        {"question": "Which reply would you send?"},
        {"tie": False},
        {"both_bad": False},
        {"strength": False},
        {"criteria": {"accuracy": "Is true.", "tone": ""}},
        {"rate": "each"},
        {"critique": "required"},
        {"critique": "none"},
    ]
    hashes = [protocol(FORM.model_copy(update=update), "read this") for update in others]
    assert len({base, *hashes}) == len(others) + 1


def test_only_the_main_question_must_be_answered_unless_a_reason_is_asked_for():
    def required(form):
        return [row["name"] for row in questions(form) if row["required"]]

    assert required(FORM) == ["preference"]
    assert required(RANKING) == ["ranking"]
    assert required(FORM.model_copy(update={"critique": "required"})) == ["preference", "critique"]


def test_a_form_asks_what_it_is_told_to_and_nothing_else():
    assert names(FormSettings()) == ["preference", "critique", "edit"]
    assert names(FormSettings(critique="none", edit=False)) == ["preference"]
    assert names(FORM) == ["preference", "strength", "criterion-accuracy", "criterion-tone", "critique", "edit"]
    assert names(RANKING) == ["ranking", *(f"rating-{place}-tone" for place in range(1, 5)), "critique", "edit"]
    [options] = [row["settings"]["options"] for row in questions(FormSettings(tie=False, both_bad=False))[:1]]
    assert [option["value"] for option in options] == ["first", "second"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"candidates": 3}, "need kind: ranking"),
        ({"kind": "ranking", "strength": True}, "strength is asked in pairwise forms only"),
        ({"kind": "ranking", "tie": False}, "tie can't be switched off"),
        ({"kind": "ranking", "candidates": 11}, "less than or equal to 10"),
        ({"criteria": {"Not A Name": ""}}, "should match pattern"),
    ],
)
def test_a_form_that_argilla_could_not_show_is_refused_in_words(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        FormSettings(**settings)

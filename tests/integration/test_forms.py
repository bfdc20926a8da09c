"""Every kind of question through a real server: what is answered is exactly what comes out."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefloop.collect import (
    Argilla,
    Candidate,
    CollectSettings,
    FormSettings,
    Item,
    Message,
    Origin,
    Vote,
    make_pairs,
    open_queue,
    originals,
    pairwise,
    pull,
    push,
    replay,
)
from prefloop.collect.item import LETTERS
from prefloop.collect.queues.questions import compare
from prefloop.collect.sides import left_of, shown_order
from prefloop.errors import UserError

KEY = b"a side key for forms"
ORIGIN = Origin("person", "author")
# What an HTTP/JSON API can carry: any text but lone surrogates and NUL.
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)
TEXTS |= st.just("</script><img src=x onerror=alert(1)> {{ x }} $& \u202e\u2028 " * 400)
RATING = st.fixed_dictionaries({"tone": st.integers(1, 5)})


@pytest.fixture(scope="module")
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


@pytest.fixture
def open_form(owner, tmp_path, request):
    (tmp_path / "guidelines.md").write_text("Choose the better answer.")
    name = "f-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:90]

    def open_one(form):
        guidelines = tmp_path / "guidelines.md"
        return open_queue(owner, CollectSettings(items=guidelines, guidelines=guidelines, queue=name, form=form))

    return open_one


def make_item(count, prompt):
    candidates = [Candidate(f"answer {letter} <b> $& #TEMPLATE#", ORIGIN) for letter in LETTERS[:count]]
    (a, b), more = candidates[:2], tuple(candidates[2:])
    return Item((Message("user", prompt),), a.response, b.response, ORIGIN, ORIGIN, (), more)


def content(vote):
    """A vote without what only the server knows."""
    return replace(vote, id="", inserted_at="", updated_at="", seconds=None, protocol="")


def answers(draw, item, who, count):
    """One person's ranking of an item, as a submitted vote, a draft with gaps or a discarded record."""
    order, status = shown_order(KEY, item.id, count), draw(st.sampled_from(["submitted", "draft", "discarded"]))
    rank = st.integers(1, count) if status == "submitted" else st.none() | st.integers(1, count)
    ranking = tuple(draw(st.lists(rank, min_size=count, max_size=count)))
    choice = compare(*ranking[:2]) or ("skip" if status == "discarded" else None)
    ratings = draw(st.dictionaries(st.sampled_from(LETTERS[:count]), RATING))
    said = {"ratings": ratings, "critique": draw(TEXTS), "edit": draw(TEXTS)}
    return Vote(item.id, who, choice, left_of(order), status, ranking=ranking, order=order, **said)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize(("count", "layout"), [(2, "stacked"), (4, "side_by_side"), (10, "stacked")])
def test_rankings_come_out_as_they_went_in(owner, open_form, count, layout, data):
    form = FormSettings(kind="ranking", candidates=count, criteria={"tone": "Friendly."}, rate="each", layout=layout)
    queue = open_form(form)
    items = [make_item(count, f"{data.draw(st.integers())} {n}") for n in range(3)]
    given_votes = [answers(data.draw, item, who, count) for item in items for who in ("ann", "bo")]
    push(owner, queue, items, KEY)
    replay(owner, queue, given_votes, KEY)
    ids = {item.id for item in items}
    known = [row["external_id"] for row, _ in owner.records(queue.id, responses=False)]
    pulled = [vote for vote in pull(owner, queue, KEY, known).votes if vote.item_id in ids]
    assert sorted(map(content, pulled), key=repr) == sorted(given_votes, key=repr)
    compared, votes = pairwise(items, pulled)
    assert len(compared) == 3 * count * (count - 1) // 2
    assert {vote.item_id for vote in votes} <= set(originals(items))
    assert sum(make_pairs(compared, votes).outcomes.values()) == len(compared)


@pytest.mark.parametrize("markdown", [False, True])
def test_comparisons_with_ratings_of_each_answer_come_out_as_they_went_in(owner, open_form, markdown):
    queue = open_form(FormSettings(criteria={"tone": ""}, rate="each", strength=True, markdown=markdown))
    item = make_item(2, "Prompt")
    push(owner, queue, [item], KEY)
    votes = [
        Vote(item.id, who, choice, shown_order(KEY, item.id, 2)[0], strength=strength, ratings=ratings)
        for who, choice, strength, ratings in (
            ("ann", "A", 4, {"A": {"tone": 5}, "B": {"tone": 1}}),
            ("bo", "tie", None, {"B": {"tone": 3}}),
            ("cy", "both_bad", 1, {}),
        )
    ]
    replay(owner, queue, votes, KEY)
    assert [content(vote) for vote in pull(owner, queue, KEY, [item.id]).votes] == votes


def test_items_and_votes_of_another_number_of_answers_are_refused_in_words(owner, open_form):
    queue = open_form(FormSettings(kind="ranking", candidates=3))
    three, four, two = (make_item(count, "Prompt") for count in (3, 4, 2))
    pushed = push(owner, queue, [three, four, two], KEY)
    assert pushed.added == 1
    assert dict(pushed.refused) == {
        four.id: "it has 4 candidates; this queue's form shows 3",
        two.id: "it has 2 candidates; this queue's form shows 3",
    }
    vote = Vote(three.id, "ann", "A", "A", ranking=(1, 2, 3, 4), order="ABCD")
    with pytest.raises(UserError, match="rank another number of answers than the queue's 3"):
        replay(owner, queue, [vote], KEY)

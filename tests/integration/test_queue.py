"""Items in, votes out, through a real Argilla server: what annotators answered is exactly what comes out."""

import gzip
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefloop.collect import (
    Argilla,
    CollectSettings,
    FormSettings,
    Item,
    Message,
    Origin,
    Vote,
    ensure_annotators,
    find_queue,
    make_pairs,
    open_queue,
    pull,
    push,
    queue_status,
    replay,
)
from prefloop.collect.queues.questions import answer
from prefloop.collect.sides import left_side
from prefloop.collect.sources import Options, import_pandalm
from prefloop.errors import UserError

KEY = b"a side key for tests"
PEOPLE = ("ann", "bo", "cy")
ORIGIN = Origin("person", "author")


@pytest.fixture(scope="module")
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


@pytest.fixture
def collect_settings(tmp_path, request):
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("Choose the better answer.")
    name = "q-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:100]
    return CollectSettings(
        items=tmp_path / "items.jsonl",
        guidelines=guidelines,
        queue=name,
        form={"strength": True, "criteria": {"accuracy": ""}},
    )


def make_items(count, prompt="Prompt"):
    return [Item((Message("user", f"{prompt} {n}"),), f"a {n}", f"b {n}", ORIGIN, ORIGIN) for n in range(count)]


def content(vote):
    """A vote without what only the server knows."""
    return replace(vote, id="", inserted_at="", updated_at="", seconds=None, protocol="")


def test_pushing_twice_adds_nothing_and_touches_no_answer(owner, collect_settings):
    items = make_items(130)
    queue = open_queue(owner, collect_settings)
    assert push(owner, queue, items[:50], KEY).added == 50
    votes = [Vote(item.id, "ann", "A", left_side(KEY, item.id)) for item in items[:10]]
    replay(owner, queue, votes, KEY)
    before = pull(owner, queue, KEY, [item.id for item in items]).votes
    again = push(owner, open_queue(owner, collect_settings), items, KEY)
    assert (again.added, again.already_there, again.refused) == (80, 50, ())
    pulled = pull(owner, queue, KEY, [item.id for item in items])
    assert pulled.votes == before
    assert (pulled.items, pulled.unanswered, pulled.foreign) == (130, 120, ())
    assert queue_status(owner, queue).submitted["ann"] == 10


def test_a_queue_that_was_left_half_made_is_finished(owner, collect_settings):
    def stops_at_publishing(method, path, **more):
        if path.endswith("/publish"):
            raise KeyboardInterrupt
        return Argilla.call(half, method, path, **more)

    with Argilla(owner.url, owner._http.headers["X-Argilla-Api-Key"]) as half:
        half.call = stops_at_publishing
        with pytest.raises(KeyboardInterrupt):
            open_queue(half, collect_settings)
    queue = open_queue(owner, collect_settings)
    assert push(owner, queue, make_items(2), KEY).added == 2


def test_a_published_queue_is_never_given_other_questions(owner, collect_settings):
    open_queue(owner, collect_settings)
    with pytest.raises(UserError, match="other questions or guidelines"):
        open_queue(owner, collect_settings.model_copy(update={"form": FormSettings(edit=False)}))


def test_what_argilla_cannot_show_is_refused_with_a_reason(owner, collect_settings):
    good = make_items(1)
    empty = Item((Message("user", ""),), "a", "b", ORIGIN, ORIGIN)
    long = Item((Message("user", "x" * 20_001),), "a", "b", ORIGIN, ORIGIN)
    same = Item((Message("user", "p"),), "a", "a", ORIGIN, ORIGIN)
    pushed = push(owner, open_queue(owner, collect_settings), [*good, empty, long, same], KEY)
    assert pushed.added == 1
    assert [item_id for item_id, _ in pushed.refused] == [empty.id, long.id, same.id]


def test_wrong_key_no_server_and_no_queue_are_one_sentence_each(owner, argilla, collect_settings):
    with Argilla(argilla.url, "not-the-key") as stranger, pytest.raises(UserError, match="does not know this API key"):
        open_queue(stranger, collect_settings)
    with Argilla("http://127.0.0.1:9", "k") as nobody, pytest.raises(UserError, match="can't be reached"):
        open_queue(nobody, collect_settings)
    with pytest.raises(UserError, match="push first"):
        find_queue(owner, collect_settings)


# What an HTTP/JSON API can carry: any text but lone surrogates. NUL is covered by the test after this one.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300)
VOTES = st.builds(
    Vote,
    item_id=st.just(""),
    annotator=st.just(""),
    choice=st.sampled_from(["A", "B", "tie", "both_bad"]),
    left=st.just("A"),
    status=st.sampled_from(["submitted", "draft", "discarded"]),
    strength=st.none() | st.integers(1, 4),
    criteria=st.just({}) | st.builds(lambda rating: {"accuracy": rating}, st.integers(1, 5)),
    critique=st.none() | TEXTS | st.just("<b>bold</b> <script>alert(1)</script> {{ moustache }}"),
    edit=st.none() | TEXTS | st.just("line 1\r\nline 2\t\u2028\u202e end" * 300),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(votes=st.lists(VOTES, min_size=9, max_size=30), texts=st.lists(TEXTS, min_size=10, max_size=10, unique=True))
def test_what_annotators_answer_is_exactly_what_comes_out(owner, collect_settings, votes, texts):
    items = [Item((Message("user", text),), f"{text}1", f"{text}2", ORIGIN, ORIGIN) for text in texts]
    queue = open_queue(owner, collect_settings)
    push(owner, queue, items, KEY)
    places = [(item, who) for item in items for who in PEOPLE]
    given_votes = [
        replace(vote, item_id=item.id, annotator=who, left=left_side(KEY, item.id))
        for vote, (item, who) in zip(votes, places, strict=False)
    ]
    skips = [Vote(items[-1].id, who, "skip", left_side(KEY, items[-1].id), "discarded") for who in PEOPLE]
    replay(owner, queue, given_votes + (skips if len(votes) <= 27 else []), KEY)
    ids = {item.id for item in items}
    known = {record["external_id"] for record, _ in owner.records(queue.id, responses=False)}
    pulled = pull(owner, queue, KEY, list(known))
    mine = [content(vote) for vote in pulled.votes if vote.item_id in ids]
    expected = given_votes + (skips if len(votes) <= 27 else [])
    assert sorted(mine, key=repr) == sorted(expected, key=repr)
    assert {
        record["external_id"]: record["fields"] for record, _ in owner.records(queue.id, responses=False)
    }.keys() >= ids


def test_changing_ones_mind_replaces_the_answer_and_keeps_its_first_time(owner, collect_settings):
    [item] = make_items(1)
    queue = open_queue(owner, collect_settings)
    push(owner, queue, [item], KEY)
    vote = Vote(item.id, "ann", "A", left_side(KEY, item.id))
    replay(owner, queue, [vote], KEY)
    [first] = pull(owner, queue, KEY, [item.id]).votes
    replay(owner, queue, [replace(vote, choice="both_bad")], KEY)
    [second] = pull(owner, queue, KEY, [item.id]).votes
    assert (first.choice, second.choice) == ("A", "both_bad")
    assert (second.id, second.inserted_at) == (first.id, first.inserted_at)
    assert second.updated_at > first.updated_at


def test_records_that_are_not_ours_are_counted_and_left_out(owner, collect_settings):
    queue = open_queue(owner, collect_settings)
    items = make_items(2)
    push(owner, queue, items, KEY)
    pulled = pull(owner, queue, KEY, [items[0].id])
    assert pulled.foreign == (items[1].id,)


def test_annotators_label_through_their_own_queue_until_it_is_complete(owner, collect_settings):
    items = make_items(4)
    queue = open_queue(owner, collect_settings.model_copy(update={"min_votes": 2}))
    push(owner, queue, items, KEY)
    accounts = ensure_annotators(owner, queue, PEOPLE)
    scope = {"entity": "response", "property": "status"}
    unanswered = {"type": "terms", "scope": scope, "values": ["pending"]}
    pending = {"query": None, "filters": {"type": "and", "and": [unanswered]}}
    for account in accounts[:2]:
        with Argilla(owner.url, account.api_key) as annotator:
            while rows := annotator.call(
                "POST", f"/me/datasets/{queue.id}/records/search?include=responses&limit=2", body=pending
            )["items"]:
                values = answer(Vote(rows[0]["record"]["external_id"], account.username, "tie", "A"))
                body = {"values": values, "status": "submitted"}
                annotator.call("POST", f"/records/{rows[0]['record']['id']}/responses", body=body)
    assert (queue_status(owner, queue).completed, queue_status(owner, queue).total) == (4, 4)


@pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA is not set")
def test_pandalms_votes_survive_queue_votes_and_pairs(owner, collect_settings):
    """999 real pairs, three people each (arXiv:2306.05087): nothing lost, nothing added."""
    path = Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences" / "pandalm_testset_v1.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))
    words = {0: "tie", 1: "A", 2: "B"}
    imported = import_pandalm(str(path), Options())
    items = imported.items
    recorded = [content(replace(vote, left=left_side(KEY, vote.item_id))) for vote in imported.votes]
    random.Random(0).shuffle(recorded)
    queue = open_queue(owner, collect_settings)
    pushed = push(owner, queue, items, KEY)
    assert (pushed.added, pushed.refused) == (999, ())
    assert replay(owner, queue, recorded, KEY) == 2997
    pulled = pull(owner, queue, KEY, [item.id for item in items])
    assert sorted(map(content, pulled.votes), key=repr) == sorted(recorded, key=repr)
    made = make_pairs(items, pulled.votes)
    assert sum(made.outcomes.values()) == 999
    by_hand = [max("AB", key=lambda side: [words[row[f"annotator{n}"]] for n in (1, 2, 3)].count(side)) for row in rows]
    majority = sum(
        [words[row[f"annotator{n}"]] for n in (1, 2, 3)].count(side) >= 2
        for row, side in zip(rows, by_hand, strict=True)
    )
    assert len(made.pairs) == made.outcomes["A"] + made.outcomes["B"] == majority

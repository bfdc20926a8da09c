"""From one Argilla dataset to another: a stock dataset with several annotators comes out as it was answered."""

import pytest
from prefloop.collect import (
    Argilla,
    CollectSettings,
    make_pairs,
    open_queue,
    pull,
    push,
    replay,
)
from prefloop.collect.queues.annotators import Person, invite
from prefloop.collect.sources import Options, import_argilla
from prefloop.errors import UserError
from prefloop.loop import import_data

KEY = b"a side key for tests"
WORKSPACE = "elsewhere"
COLUMNS = {"prompt": "chat", "response_a": "answer-1", "response_b": "answer-2", "model_a": "wrote-1",
           "critique": "why", "strength": "how-much"}  # fmt: skip
TEXTS = [("Boil an egg?", "Eight minutes.", "Use water <b>now</b>."), ("Slice\u2028bread?", "A saw.", "A knife. 🍞"),
         ("Peel?", "No.", "Yes."), ("Same?", "Same.", "Same."), ("Nobody?", "a", "b")]  # fmt: skip


@pytest.fixture(scope="module")
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        connection.call("POST", "/workspaces", body={"name": WORKSPACE})
        yield connection


def stock_dataset(owner, name, questions):
    """A dataset as people make it with the SDK or the page: nothing of prefloop's in it."""
    [workspace] = [row["id"] for row in owner.items("/me/workspaces") if row["name"] == WORKSPACE]
    body = {"name": name, "workspace_id": workspace, "guidelines": "Choose the helpful one.",
            "allow_extra_metadata": True, "distribution": {"strategy": "overlap", "min_submitted": 1}}  # fmt: skip
    dataset = owner.call("POST", "/datasets", body=body)["id"]
    for field, kind in (("chat", "chat"), ("answer-1", "text"), ("answer-2", "text")):
        shown = {"type": kind, "use_markdown": False}
        row = {"name": field, "title": field, "required": True, "settings": shown}
        owner.call("POST", f"/datasets/{dataset}/fields", body=row)
    for place, (question, kind) in enumerate(questions.items()):
        row = {"name": question, "title": question, "required": place == 0, "settings": kind}
        owner.call("POST", f"/datasets/{dataset}/questions", body=row)
    owner.call("PUT", f"/datasets/{dataset}/publish")
    rows = [
        {"external_id": f"r{place}", "metadata": {"wrote-1": f"model-{place}"}, "fields": {
            "chat": [{"role": "user", "content": prompt}], "answer-1": one, "answer-2": two}}
        for place, (prompt, one, two) in enumerate(TEXTS)
    ]  # fmt: skip
    owner.call("POST", f"/datasets/{dataset}/records/bulk", body={"items": rows})
    records = {row["external_id"]: row["id"] for row, _ in owner.records(dataset, responses=False)}
    return workspace, records


def respond(owner, workspace, who, responses):
    [account] = invite(owner, [Person(who)], {None: workspace})
    with Argilla(owner.url, account.api_key) as annotator:
        for record, status, values in responses:
            body = {"status": status, "values": {name: {"value": value} for name, value in values.items()} or None}
            annotator.call("POST", f"/records/{record}/responses", body=body)


def options(values):
    return [{"value": value, "text": value} for value in values]


def test_a_stock_dataset_moves_with_every_annotators_answer_status_and_time(owner, argilla, tmp_path, monkeypatch):
    questions = {
        "verdict": {"type": "label_selection", "options": options(["one", "two", "equal"])},
        "why": {"type": "text"},
        "how-much": {"type": "rating", "options": [{"value": value} for value in (1, 2, 3, 4)]},
    }
    workspace, records = stock_dataset(owner, "stock", questions)
    respond(owner, workspace, "dan", [
        (records["r0"], "submitted", {"verdict": "one", "why": "It <i>tells</i> how.", "how-much": 3}),
        (records["r1"], "submitted", {"verdict": "equal"}), (records["r2"], "discarded", {}),
        (records["r3"], "submitted", {"verdict": "one"})])  # fmt: skip
    respond(owner, workspace, "eve", [
        (records["r0"], "submitted", {"verdict": "one"}), (records["r1"], "draft", {"verdict": "two"})])  # fmt: skip

    labels = {"one": "A", "two": "B", "equal": "tie"}
    # By the way that the command line takes.
    monkeypatch.setenv("ARGILLA_API_URL", owner.url)
    monkeypatch.setenv("ARGILLA_API_KEY", argilla.api_key)
    imported = import_data("argilla", f"{WORKSPACE}/stock", Options(columns=COLUMNS, labels=labels))
    assert imported.source.rows == 5 == imported.taken + 1
    assert imported.refused == {"both responses are the same": ("r3",)}
    assert imported.source.protocol == "Choose the helpful one."
    assert {(vote.annotator, vote.choice, vote.status, vote.strength, vote.critique) for vote in imported.votes} == {
        ("dan", "A", "submitted", 3, "It <i>tells</i> how."), ("eve", "A", "submitted", None, None),
        ("dan", "tie", "submitted", None, None), ("eve", "B", "draft", None, None),
        ("dan", "skip", "discarded", None, None),
    }  # fmt: skip
    assert all(vote.left == "A" and vote.inserted_at and vote.id for vote in imported.votes)
    assert imported.items[0].origin_a.name == "model-0"

    # And into a queue of prefloop's, answered by the same people.
    (tmp_path / "guidelines.md").write_text("Choose the helpful one.")
    form = {"strength": True}
    here = CollectSettings(
        items=tmp_path / "items.jsonl", guidelines=tmp_path / "guidelines.md", queue="moved", form=form
    )
    moved = open_queue(owner, here)
    assert push(owner, moved, imported.items, KEY).added == 4
    assert replay(owner, moved, imported.votes, KEY) == len(imported.votes)
    pulled = pull(owner, moved, KEY, [item.id for item in imported.items])
    assert {(vote.item_id, vote.annotator, vote.choice, vote.status, vote.critique) for vote in pulled.votes} == {
        (vote.item_id, vote.annotator, vote.choice, vote.status, vote.critique) for vote in imported.votes
    }
    assert make_pairs(imported.items, pulled.votes).outcomes == make_pairs(imported.items, imported.votes).outcomes

    with pytest.raises(UserError, match="queue of prefloop's own"):
        import_argilla(owner, f"{here.workspace}/moved", Options(columns=COLUMNS))


def test_rankings_come_with_their_ranks_and_ties(owner):
    questions = {"order": {"type": "ranking", "options": options(["one", "two"])}}
    workspace, records = stock_dataset(owner, "ranked", questions)
    ranks = {"r0": (2, 1), "r1": (1, 1), "r2": (1, 2)}
    respond(owner, workspace, "dan", [
        (records[name], "submitted", {"order": [{"value": "one", "rank": a}, {"value": "two", "rank": b}]})
        for name, (a, b) in ranks.items()])  # fmt: skip
    labels = {"one": "A", "two": "B"}
    imported = import_argilla(
        owner, f"{WORKSPACE}/ranked", Options(columns=COLUMNS | {"label": "order"}, labels=labels)
    )
    by_prompt = {item.id: item.prompt[0].content for item in imported.items}
    assert {by_prompt[vote.item_id]: vote.choice for vote in imported.votes} == {
        "Boil an egg?": "B", "Slice\u2028bread?": "tie", "Peel?": "A",
    }  # fmt: skip


def test_what_is_not_there_is_named(owner):
    with pytest.raises(UserError, match="workspace/dataset"):
        import_argilla(owner, "stock", Options())
    with pytest.raises(UserError, match="no dataset 'elsewhere/nothing'"):
        import_argilla(owner, "elsewhere/nothing", Options())

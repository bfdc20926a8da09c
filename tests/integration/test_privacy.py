"""What annotators can't learn from the embedded server, route by route, and that no text can break it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prefloop.collect.embedded import Server

Api = Any
"""conftest's class; its module cannot be imported."""

HIDDEN = "hidden-model-name"
STATUS = {"entity": "response", "property": "status"}
SEARCH = {"filters": {"and": [{"type": "terms", "scope": STATUS, "values": ["pending", "submitted"]}]}}
BEN_VOTE = {"values": {"choice": {"value": "B"}}, "status": "submitted"}

OPEN: dict[tuple[str, str], Any] = {
    ("GET", "/version"): None,
    ("GET", "/status"): None,
    ("GET", "/settings"): None,
    ("GET", "/oauth2/providers"): None,
    ("GET", "/me"): None,
    ("GET", "/me/datasets"): None,
    ("GET", "/me/workspaces"): None,
    ("GET", "/workspaces/{workspace_id}"): None,
    ("GET", "/datasets/{dataset_id}"): None,
    ("GET", "/datasets/{dataset_id}/fields"): None,
    ("GET", "/datasets/{dataset_id}/questions"): None,
    ("GET", "/datasets/{dataset_id}/vectors-settings"): None,
    ("GET", "/datasets/{dataset_id}/progress"): None,
    ("GET", "/datasets/{dataset_id}/users/progress"): None,
    ("GET", "/datasets/{dataset_id}/records/search/suggestions/options"): None,
    ("GET", "/me/datasets/{dataset_id}/metadata-properties"): None,
    ("GET", "/me/datasets/{dataset_id}/metrics"): None,
    ("POST", "/me/datasets/{dataset_id}/records/search"): SEARCH,
    ("GET", "/records/{record_id}"): None,
    ("GET", "/records/{record_id}/suggestions"): None,
    ("POST", "/records/{record_id}/responses"): BEN_VOTE,
    ("POST", "/me/responses/bulk"): {"items": [BEN_VOTE | {"record_id": "{other_id}"}]},
}
"""What an annotator may call, and with what body. Every other route of the server must refuse."""


@dataclass
class Scene:
    """A dataset in which ann has voted, and ben looks around."""

    owner: Api
    ann: Api
    ben: Api
    dataset: str
    record: dict[str, Any]
    places: dict[str, str]
    secrets: tuple[str, ...]


@pytest.fixture
def scene(argilla: Server, connect: Callable[[str, str], Api]) -> Scene:
    owner = connect(argilla.url, argilla.api_key)
    workspace = owner.workspace()
    users = [owner.annotator(workspace) for _ in range(2)]
    ann, ben = (connect(argilla.url, user["api_key"]) for user in users)
    body = {"name": "source-2", "title": "s", "settings": {"type": "terms"}, "visible_for_annotators": False}
    dataset = owner.dataset(workspace)
    hidden = owner.call("POST", f"/datasets/{dataset}/metadata-properties", body)
    fields = {"prompt": "question"}
    rows = [{"external_id": "r0", "fields": fields, "metadata": {"source-2": HIDDEN, "source": "web"}}]
    [record] = owner.add(dataset, rows)
    [other] = owner.add(dataset, [{"external_id": "r1", "fields": fields}])
    values = {"choice": {"value": "A"}, "topics": {"value": ["x", "z"]}, "strength": {"value": 4}}
    answer = ann.call("POST", f"/records/{record['id']}/responses", {"values": values, "status": "submitted"})
    questions = owner.call("GET", f"/datasets/{dataset}/questions")["items"]
    places = {
        "dataset_id": dataset,
        "record_id": record["id"],
        "other_id": other["id"],
        "response_id": answer["id"],
        "workspace_id": workspace,
        "user_id": users[0]["id"],
        "metadata_property_id": hidden["id"],
        "question_id": questions[0]["id"],
    }
    nowhere = "00000000-0000-4000-8000-000000000000"
    for name in ("field_id", "suggestion_id", "vector_settings_id", "webhook_id", "job_id", "provider"):
        places[name] = nowhere
    secrets = (HIDDEN, answer["id"], users[0]["api_key"], argilla.api_key)
    return Scene(owner, ann, ben, dataset, record, places, secrets)


def routes(owner: Api) -> list[tuple[str, str]]:
    listed = httpx.get(f"{owner.url}/api/v1/openapi.json").raise_for_status().json()["paths"]
    return [(method.upper(), path.removeprefix("/api/v1")) for path, methods in listed.items() for method in methods]


def test_annotators_learn_nothing_of_each_other_on_any_route(scene: Scene) -> None:
    every = routes(scene.owner)
    assert len(every) > 60
    assert set(OPEN) <= set(every)
    own = [("GET", f"/prefloop/datasets/{{dataset_id}}/{name}") for name in ("plan", "records", "responses")]
    own += [("PUT", "/prefloop/datasets/{dataset_id}/plan"), ("POST", "/prefloop/datasets/{dataset_id}/records")]
    for method, path in [*every, *own]:
        body = OPEN.get((method, path), {} if method != "GET" else None)
        text = json.dumps(body).replace("{other_id}", scene.places["other_id"]) if body is not None else None
        query = {"include": ["responses", "suggestions"]} if "search" in path else {"ids": scene.places["record_id"]}
        answer = scene.ben.http.request(
            method,
            path.format(**scene.places),
            content=text,
            params=query,
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 500, (method, path, answer.text)
        leaked = [secret for secret in scene.secrets if secret in answer.text]
        assert not leaked, (method, path, answer.text)
        assert answer.is_success == ((method, path) in OPEN), (method, path, answer.text)
    assert len(scene.owner.records(scene.dataset)["r0"]["responses"]) == 2


def test_a_record_shows_an_annotator_only_that_annotators_answer(scene: Scene) -> None:
    path = f"/records/{scene.record['id']}"
    seen = scene.ben.call("GET", path)
    assert (seen["responses"], seen["metadata"], seen["status"]) == ([], {"source": "web"}, "pending")
    assert seen["fields"] == scene.record["fields"]
    mine = scene.ann.call("GET", path)
    assert [response["values"]["choice"]["value"] for response in mine["responses"]] == ["A"]
    assert mine["status"] == "completed"
    whole = scene.owner.call("GET", path)
    assert (len(whole["responses"]), whole["metadata"]["source-2"]) == (1, HIDDEN)


def test_searches_tell_nothing_of_what_is_hidden(scene: Scene) -> None:
    metadata = {"entity": "metadata", "metadata_property": "source-2"}
    search = f"/me/datasets/{scene.dataset}/records/search"
    filters = {"filters": {"and": [{"type": "terms", "scope": metadata, "values": [HIDDEN]}]}}
    for body in (filters, {"sort": [{"scope": metadata, "order": "asc"}]}):
        assert scene.ben.http.post(search, json=body).status_code == 422
        assert scene.owner.http.post(search, json=body).json()["items"][0]["record"]["id"] == scene.record["id"]
    choice = {"entity": "response", "question": "choice"}
    of_ann = {"filters": {"and": [{"type": "terms", "scope": choice, "values": ["A"]}]}}
    assert scene.ben.http.post(search, json=of_ann).json()["total"] == 0
    assert scene.ann.http.post(search, json=of_ann).json()["total"] == 1


TEXTS = st.text() | st.text(
    st.sampled_from("\0\x01\x1b\x7f\u0085\u200b\u202e\u2028\ufeff\uffff😀e\u0301天<>&\"'\\/{}$%\r\n\t")
)
LONE = st.sampled_from(["\ud800", "a\udfffb", "\udc00\ud800"])


@pytest.fixture(scope="module")
def text_question(argilla: Server, connect: Callable[[str, str], Api]) -> tuple[Api, str, str]:
    """Return the owner, a dataset with a free text question and a text field, and one record of it."""
    owner = connect(argilla.url, argilla.api_key)
    workspace = owner.workspace()
    dataset = owner.call("POST", "/datasets", {"name": "texts", "workspace_id": workspace})["id"]
    field = {"name": "prompt", "title": "prompt", "required": True, "settings": {"type": "text"}}
    owner.call("POST", f"/datasets/{dataset}/fields", field)
    question = {"name": "critique", "title": "why", "required": True, "settings": {"type": "text"}}
    owner.call("POST", f"/datasets/{dataset}/questions", question)
    owner.call("PUT", f"/datasets/{dataset}/publish")
    [record] = owner.add(dataset, [{"external_id": "r", "fields": {"prompt": "?"}}])
    return owner, str(dataset), str(record["id"])


@settings(max_examples=60, deadline=None)
@given(text=TEXTS | LONE)
@example(text="<script>alert(1)</script><img src=x onerror=alert(1)>")
@example(text="x" * 1_000_000)
@example(text="\0")
@example(text="\ud800")
def test_what_people_write_comes_out_as_it_went_in_or_is_refused(
    text_question: tuple[Api, str, str], text: str
) -> None:
    owner, _, record = text_question
    # By hand: what a client must not send, a lone surrogate, is an escape in JSON.
    body = json.dumps(
        {"items": [{"record_id": record, "values": {"critique": {"value": text}}, "status": "submitted"}]}
    )
    answer = owner.http.post("/me/responses/bulk", content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.is_success and (item := answer.json()["items"][0]["item"]):
        assert item["values"]["critique"]["value"] == text
        [stored] = owner.call("GET", f"/records/{record}")["responses"]
        assert stored["values"]["critique"]["value"] == text
    else:
        assert any("\ud800" <= character <= "\udfff" for character in text), answer.text


@settings(max_examples=40, deadline=None)
@given(text=TEXTS.filter(bool) | LONE, name=st.text(max_size=40) | LONE)
@example(text="\0", name="\0")
def test_what_is_shown_comes_out_as_it_went_in_or_is_refused(
    text_question: tuple[Api, str, str], text: str, name: str
) -> None:
    owner, dataset, _ = text_question
    body = json.dumps({"items": [{"external_id": f"x{name}", "fields": {"prompt": text}}]})
    path = f"/datasets/{dataset}/records/bulk"
    answer = owner.http.put(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.is_success:
        [record] = answer.json()["items"]
        stored = owner.call("GET", f"/records/{record['id']}")
        assert (stored["fields"]["prompt"], stored["external_id"]) == (text, f"x{name}")
    else:
        odd = [character for character in text + name if "\ud800" <= character <= "\udfff"]
        assert odd, answer.text

"""What Argilla asks of a search engine, through its HTTP API: the same tests over SQLite and over PostgreSQL."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect.embedded import Server

ANNOTATORS = 25
VOTING_SECONDS = 8

TEXTS = [
    ("a", "The cat sat on the mat", "cats are quiet animals"),
    ("b", "Dogs bark at the postman", "a cat watches the dog, and the cat sleeps near another cat"),
    ("c", "Rain falls on the roof", "the well-known drummer counts drops"),
    ("d", "Grüße aus Köln", "天气很好我们去公园"),
]


Api = Any
"""conftest's class; its module cannot be imported."""


def question_id(api: Api, dataset: str, name: str) -> str:
    questions = api.call("GET", f"/datasets/{dataset}/questions")["items"]
    return next(str(question["id"]) for question in questions if question["name"] == name)


def terms(entity: str, values: Sequence[Any], **scope: Any) -> dict[str, Any]:
    return {"type": "terms", "scope": {"entity": entity, **scope}, "values": list(values)}


def within(entity: str, ge: Any = None, le: Any = None, **scope: Any) -> dict[str, Any]:
    return {"type": "range", "scope": {"entity": entity, **scope}, "ge": ge, "le": le}


def by(entity: str, order: str = "asc", **scope: Any) -> list[dict[str, Any]]:
    return [{"scope": {"entity": entity, **scope}, "order": order}]


def text(q: str, field: str | None = None) -> dict[str, Any]:
    return {"text": {"q": q, "field": field}}


@pytest.fixture(scope="module")
def api(server: Server, connect: Callable[[str, str], Api]) -> Api:
    return connect(server.url, server.api_key)


@pytest.fixture(scope="module")
def workspace(api: Api) -> str:
    return str(api.workspace())


@pytest.fixture(scope="module")
def annotator(server: Server, api: Api, workspace: str, connect: Callable[[str, str], Api]) -> Callable[[], Api]:
    return lambda: connect(server.url, api.annotator(workspace)["api_key"])


@pytest.fixture(scope="module")
def texts(api: Api, workspace: str) -> str:
    """Four records with texts, metadata, suggestions and vectors."""
    dataset = api.dataset(workspace)
    choice, topics = question_id(api, dataset, "choice"), question_id(api, dataset, "topics")
    metadata = [
        {"source": ["web", "book"], "length": 5, "priority": 0.5},
        {"source": "web", "length": 12, "priority": 0.125},
        {"source": "book", "length": 7},
        {},
    ]
    suggestions: list[list[dict[str, Any]]] = [
        [{"question_id": choice, "value": "A", "score": 0.9, "agent": "judge", "type": "model"}],
        [{"question_id": choice, "value": "B", "score": 0.2, "agent": "person", "type": "human"}],
        [{"question_id": topics, "value": ["x", "z"], "score": [0.1, 0.8], "agent": "judge"}],
        [],
    ]
    vectors = [{"plane": [1.0, 0.0]}, {"plane": [1.0, 1.0]}, {"plane": [-1.0, 0.0]}, {}]
    talk = [{"role": "user", "content": "what do lighthouses do"}, {"role": "assistant", "content": "they shine"}]
    rows = zip(TEXTS, metadata, suggestions, vectors, strict=True)
    api.add(
        dataset,
        [
            {
                "external_id": name,
                "fields": {"prompt": prompt, "answer": answer, "picture": "data:image/png;base64,cat"}
                | ({"talk": talk} if name == "c" else {}),
                "metadata": meta,
                "suggestions": suggested,
                "vectors": vector,
            }
            for (name, prompt, answer), meta, suggested, vector in rows
        ],
    )
    return dataset


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (text("cat"), ["b", "a"]),
        (text("CAT"), ["b", "a"]),
        (text("cat", "prompt"), ["a"]),
        (text("postman sleeps"), ["b"]),
        (text("postman sleeps", "prompt"), []),
        (text("rain | bark"), ["b", "c"]),
        (text("cat -dog"), ["a"]),
        (text("-cat"), ["c", "d"]),
        (text('"the mat"'), ["a"]),
        (text('"mat the"'), []),
        (text("post*"), ["b"]),
        (text("well-known"), ["c"]),
        (text("lighthouses shine"), ["c"]),
        (text("lighthouses", "talk"), ["c"]),
        (text("assistant"), []),
        (text("base64"), []),
        (text("köln"), ["d"]),
        (text("公园"), ["d"]),
        (text("园公"), []),
        (text("-公园"), ["a", "b", "c"]),
        (text('"去公园" köln'), ["d"]),
        (text("???"), []),
        (text('"unclosed AND NEAR( *'), []),
    ],
)
def test_text_search(api: Api, texts: str, query: dict[str, Any], found: list[str]) -> None:
    names = api.names(texts, query=query)
    assert names == found if query["text"]["q"].lower() == "cat" else sorted(names) == found


@settings(max_examples=60, deadline=None)
@given(query=st.text(st.sampled_from("ab \"'*|-+()^:{}~\\\0\n天é😀_%$[]"), max_size=14) | st.text(max_size=30))
def test_no_text_query_breaks_the_search(api: Api, texts: str, query: str) -> None:
    assert api.search(texts, query=text(query))["total"] <= len(TEXTS)


ODD = {
    "nul": "before\0after <script>alert('x')</script>",
    "controls": "".join(map(chr, range(1, 32))) + "tail",
    "escapes": "a\\u0000b \\\\ud800 C:\\users\\new",
    "emoji": "thumbs 👍🏽 up",
    "huge": "haystack " * 40_000 + "needle",
    "long-word": "x" * 500,
    "numbers": "1e5 0x1F 3.14159 v2.8.0 -7 someone@example.com https://example.com/a/b?c=d",
}


def test_texts_of_every_kind_are_stored_and_found(api: Api, workspace: str, annotator: Callable[[], Api]) -> None:
    dataset = api.dataset(workspace)
    api.add(dataset, [{"external_id": name, "fields": {"prompt": content}} for name, content in ODD.items()])
    wanted = (
        ("after", "script"),
        ("tail",),
        ("users new",),
        ("thumbs up",),
        ("haystack",),
        ("xx*",),
        ("v2.8.0", "example*"),
    )
    for name, queries in zip(ODD, wanted, strict=True):
        assert [api.names(dataset, query=text(query)) for query in queries] == [[name]] * len(queries)
    assert {name: record["fields"]["prompt"] for name, record in api.records(dataset).items()} == ODD

    someone = annotator()
    for name, record in api.records(dataset).items():
        values = {"choice": {"value": "A"}, "critique": {"value": ODD[name]}}
        someone.call("POST", f"/records/{record['id']}/responses", {"values": values, "status": "submitted"})
    answered = {"and": [terms("response", ["A"], question="choice")]}
    assert sorted(api.names(dataset, filters=answered)) == sorted(ODD)


def test_the_text_index_follows_the_records(api: Api, workspace: str) -> None:
    dataset = api.dataset(workspace)
    first, second = api.add_numbered(dataset, 2)
    change = {"items": [{"id": first["id"], "fields": {"prompt": "something about whales"}}]}
    api.call("PUT", f"/datasets/{dataset}/records/bulk", change)
    assert api.names(dataset, query=text("whales")) == ["r0"]
    assert api.names(dataset, query=text("question")) == ["r1"]
    api.call("DELETE", f"/datasets/{dataset}/records", ids=f"{first['id']},{second['id']}")
    assert api.search(dataset, query=text("whales | question"))["total"] == 0
    api.add_numbered(dataset, 2)
    api.call("DELETE", f"/datasets/{dataset}")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([terms("metadata", ["web"], metadata_property="source")], "ab"),
        ([terms("metadata", ["web", "book"], metadata_property="source")], "abc"),
        ([terms("metadata", [5, "12"], metadata_property="length")], "ab"),
        ([terms("metadata", ["0.50"], metadata_property="priority")], "a"),
        ([within("metadata", 6, 12, metadata_property="length")], "bc"),
        ([within("metadata", None, 0.125, metadata_property="priority")], "b"),
        ([terms("suggestion", ["A"], question="choice", property="value")], "a"),
        ([terms("suggestion", ["z"], question="topics", property="value")], "c"),
        ([terms("suggestion", ["judge"], question="choice", property="agent")], "a"),
        ([terms("suggestion", ["human"], question="choice", property="type")], "b"),
        ([within("suggestion", 0.5, None, question="choice", property="score")], "a"),
        ([within("suggestion", 0.5, None, question="topics", property="score")], "c"),
        ([terms("record", ["b", "d"], property="external_id")], "bd"),
        ([terms("record", ["pending"], property="status")], "abcd"),
        ([terms("record", ["completed"], property="status")], ""),
        ([within("record", "2020-01-01T00:00:00", None, property="inserted_at")], "abcd"),
        ([within("record", None, "2020-01-01T00:00:00Z", property="inserted_at")], ""),
        ([terms("response", ["pending"], property="status")], "abcd"),
        (
            [
                terms("metadata", ["web"], metadata_property="source"),
                within("metadata", 6, None, metadata_property="length"),
            ],
            "b",
        ),
    ],
)
def test_filters(api: Api, texts: str, filters: list[dict[str, Any]], found: str) -> None:
    answer = api.search(texts, filters={"and": filters})
    assert "".join(sorted(item["record"]["external_id"] for item in answer["items"])) == found
    assert answer["total"] == len(found)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (by("metadata", metadata_property="length"), "a c b d"),
        (by("metadata", "desc", metadata_property="priority"), "a b cd"),
        (by("metadata", "desc", metadata_property="source"), "ab c d"),
        (by("metadata", metadata_property="source"), "ac b d"),
        (by("suggestion", "desc", question="choice", property="score"), "a b cd"),
        (by("suggestion", question="choice", property="score"), "b a cd"),
        (by("suggestion", "desc", question="choice", property="agent"), "b a cd"),
        (by("record", "desc", property="external_id"), "d c b a"),
        (by("record", property="inserted_at"), "abcd"),
        (by("record", property="status") + by("record", "desc", property="external_id"), "d c b a"),
        (None, "abcd"),
    ],
)
def test_sorts(api: Api, texts: str, sort: list[dict[str, Any]] | None, order: str) -> None:
    """`order` has equals together; what has no value comes last either way."""
    names = iter(api.names(texts, sort=sort))
    assert " ".join("".join(sorted(next(names) for _ in equals)) for equals in order.split()) == order


def test_pages_do_not_overlap(api: Api, texts: str) -> None:
    pages = [api.search(texts, limit=3, offset=offset) for offset in (0, 3)]
    assert sorted(item["record"]["external_id"] for page in pages for item in page["items"]) == list("abcd")
    assert [page["total"] for page in pages] == [4, 4]


def test_vector_similarity(api: Api, texts: str) -> None:
    def near(**vector: Any) -> list[tuple[str, float]]:
        items = api.search(texts, query={"vector": {"name": "plane", **vector}})["items"]
        return [(item["record"]["external_id"], round(item["query_score"], 3)) for item in items]

    a = api.records(texts)["a"]["id"]
    assert near(value=[1.0, 0.0]) == [("a", 1.0), ("b", 0.854), ("c", 0.0)]
    assert near(value=[1.0, 0.0], order="least_similar") == [("c", 1.0), ("b", 0.146), ("a", 0.0)]
    assert near(record_id=a) == [("b", 0.854), ("c", 0.0)]
    body = {
        "query": {"vector": {"name": "plane", "value": [1.0, 0.0]}, **text("cat | rain")},
        "filters": {"and": [terms("metadata", ["web"], metadata_property="source")]},
    }
    assert api.names(texts, **body) == ["a", "b"]


def test_metadata_metrics(api: Api, texts: str) -> None:
    found = api.call("GET", f"/me/datasets/{texts}/metadata-properties")["items"]
    metrics = {item["name"]: api.call("GET", f"/metadata-properties/{item['id']}/metrics") for item in found}
    assert metrics["source"] == {
        "type": "terms",
        "total": 4,
        "values": [{"term": "book", "count": 2}, {"term": "web", "count": 2}],
    }
    assert metrics["length"] == {"type": "integer", "min": 5, "max": 12}
    assert metrics["priority"] == {"type": "float", "min": 0.125, "max": 0.5}


PENDING = {"and": [terms("response", ["pending"], property="status"), terms("record", ["pending"], property="status")]}


def test_queues(api: Api, workspace: str, annotator: Callable[[], Api]) -> None:
    dataset = api.dataset(workspace, min_submitted=2)
    api.add_numbered(dataset, 30)
    first, second, third = annotator(), annotator(), annotator()

    orders = [user.names(dataset, me=True, filters=PENDING) for user in (first, second, first)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(api.records(dataset))

    records = api.records(dataset)
    chosen, drafted, discarded = orders[0][:3]
    first.vote(records[chosen]["id"])
    first.vote(records[drafted]["id"], status="draft")
    first.vote(records[discarded]["id"], status="discarded")
    assert first.names(dataset, me=True, filters=PENDING) == orders[0][3:]
    assert second.names(dataset, me=True, filters=PENDING) == orders[1], "one vote of two leaves the record open"
    second.vote(records[chosen]["id"], "B")
    assert chosen not in third.names(dataset, me=True, filters=PENDING), "two votes of two complete it"

    metrics = first.call("GET", f"/me/datasets/{dataset}/metrics")["responses"]
    assert metrics == {"total": 30, "submitted": 1, "draft": 1, "discarded": 1, "pending": 27}
    progress = api.progress(dataset)
    assert (progress["total"], progress["completed"], progress["pending"]) == (30, 1, 29)

    def mine(*filters: dict[str, Any]) -> list[str]:
        return sorted(first.names(dataset, me=True, filters={"and": list(filters)}))

    def of_anybody(*filters: dict[str, Any]) -> list[str]:
        return sorted(api.names(dataset, filters={"and": list(filters)}))

    assert mine(terms("response", ["draft"], property="status")) == [drafted]
    assert mine(terms("response", ["draft", "submitted"], property="status")) == sorted([drafted, chosen])
    assert mine(terms("response", ["B"], question="choice")) == []
    assert of_anybody(terms("response", ["B"], question="choice")) == [chosen]
    assert of_anybody(within("response", 3, 4, question="strength")) == sorted([chosen, drafted, discarded])
    assert len(of_anybody(terms("response", ["pending"], property="status"))) == 27
    assert of_anybody(terms("record", ["completed"], property="status")) == [chosen]
    ordered = api.names(dataset, sort=by("response", "desc", question="strength"))
    assert sorted(ordered[:3]) == sorted([chosen, drafted, discarded])

    response = api.records(dataset)[chosen]["responses"][0]
    api.call("DELETE", f"/responses/{response['id']}")
    assert of_anybody(terms("record", ["completed"], property="status")) == []


def test_a_new_overlap_recomputes_every_status(
    api: Api, workspace: str, annotator: Callable[[], Api], eventually: Callable[..., bool]
) -> None:
    dataset = api.dataset(workspace, min_submitted=1)
    records = api.add_numbered(dataset, 3)
    someone = annotator()
    for record in records[:2]:
        someone.vote(record["id"])
    assert api.progress(dataset)["completed"] == 2
    for overlap, completed in ((2, 0), (1, 2)):
        body = {"distribution": {"strategy": "overlap", "min_submitted": overlap}}
        api.call("PATCH", f"/datasets/{dataset}", body)
        assert eventually(lambda wanted=completed: api.progress(dataset)["completed"] == wanted)


async def annotate(url: str, key: str, dataset: str, deadline: float, seen: list[int], voted: list[str]) -> None:
    """Work like the web UI: fetch a page of the queue, vote on each record, look at the progress."""
    headers = {"X-Argilla-Api-Key": key}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
        while time.monotonic() < deadline:
            page = await client.post(f"/me/datasets/{dataset}/records/search?limit=5", json={"filters": PENDING})
            seen.append(page.status_code)
            for item in page.json()["items"] if page.is_success else []:
                body = {"values": {"choice": {"value": "A"}}, "status": "submitted"}
                answer = await client.post(f"/records/{item['record']['id']}/responses", json=body)
                seen.append(answer.status_code)
                if answer.is_success:
                    voted.append(answer.json()["id"])
            seen.append((await client.get(f"/me/datasets/{dataset}/metrics")).status_code)


def test_many_annotators_at_once(server: Server, api: Api, workspace: str) -> None:
    dataset = api.dataset(workspace, min_submitted=3)
    api.add_numbered(dataset, 300)
    keys = [api.annotator(workspace)["api_key"] for _ in range(ANNOTATORS)]
    seen: list[int] = []
    voted: list[str] = []

    async def all_at_once() -> None:
        deadline = time.monotonic() + VOTING_SECONDS
        await asyncio.gather(*(annotate(server.url, key, dataset, deadline, seen, voted) for key in keys))

    asyncio.run(all_at_once())
    assert set(seen) <= {200, 201}
    assert len(voted) > 4 * ANNOTATORS
    records = api.records(dataset).values()
    assert sorted(response["id"] for record in records for response in record["responses"]) == sorted(voted)
    wrong = [r["external_id"] for r in records if (r["status"] == "completed") != (len(r["responses"]) >= 3)]
    assert wrong == []

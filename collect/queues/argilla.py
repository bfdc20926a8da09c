"""Argilla's REST API, as little of it as prefloop needs, with its failures put into words.

The SDK is not used: it loses ranks, statuses and timestamps on the way out (docs/decisions/raw-rest.md).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from ...errors import UserError

Json = dict[str, Any]
PAGE = 1000
"""Records a page; the server refuses more."""
BULK_RECORDS = 500
BULK_RESPONSES = 100
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""On one machine compressing (the server uses gzip's slowest level) takes longer than it saves."""


class Argilla:
    """A connection to one Argilla server as one user."""

    def __init__(self, url: str, api_key: str, *, timeout: float = 120) -> None:
        self.url = url.rstrip("/")
        headers = {"X-Argilla-Api-Key": api_key}
        if httpx.URL(self.url).host in LOOPBACK:
            headers["Accept-Encoding"] = "identity"
        # Retries cover connecting only: a request that may have reached the server is never sent twice blindly.
        transport = httpx.HTTPTransport(retries=2)
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> "Argilla":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, body: object = None, query: Mapping[str, str | int] | None = None) -> Any:
        """Send one request and return the answer's JSON.

        Raises:
            UserError: the server can't be reached, or refuses.
        """
        with self._translated(method, path):
            answer = self._http.request(method, path, json=body, params=query)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    def get_if_there(self, path: str) -> Any:
        """Return the JSON at `path`, or None where the server has no such thing (HTTP 404)."""
        with self._translated("GET", path):
            answer = self._http.get(path)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return answer.json()

    def post_unless_there(self, path: str, body: object) -> Any:
        """Make something; return its JSON, or None where it is there already (HTTP 409) and was left as it is."""
        with self._translated("POST", path):
            answer = self._http.post(path, json=body)
            if answer.status_code == 409:
                return None
            answer.raise_for_status()
            return answer.json()

    def items(self, path: str) -> list[Json]:
        """Return the `items` of a listing."""
        return list(self.call("GET", path)["items"])

    def lines(self, path: str, query: Mapping[str, str | list[str]] | None = None) -> Iterator[Any]:
        """Yield the values of a listing in JSON lines while it arrives.

        Raises:
            UserError: the server can't be reached, refuses, or breaks off.
        """
        with self._translated("GET", path), self._http.stream("GET", path, params=query) as answer:
            if answer.is_error:
                answer.read()
                answer.raise_for_status()
            rest = b""
            for chunk in answer.iter_bytes():
                *whole, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, whole)

    def records(self, dataset_id: str, *, responses: bool) -> Iterator[tuple[Json, int]]:
        """Yield every record with the total number of records.

        Raises:
            UserError: records were added or removed while they were read; paging by offset could then miss some.
        """
        seen: set[str] = set()
        total = offset = 0
        while offset == 0 or offset < total:
            query: dict[str, str | int] = {"offset": offset, "limit": PAGE}
            page = self.call(
                "GET", f"/datasets/{dataset_id}/records", query=query | ({"include": "responses"} if responses else {})
            )
            total = page["total"]
            for record in page["items"]:
                seen.add(record["id"])
                yield record, total
            offset += PAGE
        if len(seen) != total:
            raise UserError(
                f"the queue changed while it was read ({len(seen)} records read, {total} there); run the command again"
            )

    @contextmanager
    def _translated(self, method: str, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPStatusError as error:
            raise UserError(self._refusal(error.response, f"{method} {path}")) from error
        except httpx.TransportError as error:
            raise UserError(
                f"Argilla at {self.url} can't be reached ({type(error).__name__}); "
                "is it running? `prefloop server status` tells for the embedded one"
            ) from error

    def _refusal(self, answer: httpx.Response, request: str) -> str:
        if answer.status_code == 401:
            return f"Argilla at {self.url} does not know this API key; check ARGILLA_API_KEY"
        if answer.status_code == 403:
            return f"Argilla at {self.url} does not allow {request} to this user; use the owner's API key"
        return f"Argilla at {self.url} refused {request} with HTTP {answer.status_code}: {answer.text[:600]}"


def batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield `rows` in runs of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

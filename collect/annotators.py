"""Annotator accounts: made when missing, added to the workspace, never changed when there."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from .argilla import Argilla
from .queue import Queue


@dataclass(frozen=True, slots=True)
class Annotator:
    """An account that may label. The password is only known when the account was made just now."""

    username: str
    api_key: str = field(repr=False)
    password: str | None = field(default=None, repr=False)


def ensure_annotators(argilla: Argilla, queue: Queue, names: Iterable[str]) -> list[Annotator]:
    """Return these names' accounts, made with random passwords where missing, as members of the queue's workspace."""
    users = {row["username"]: row for row in argilla.items("/users")}
    members = {row["id"] for row in argilla.items(f"/workspaces/{queue.workspace_id}/users")}
    annotators = []
    for name in sorted(set(names)):
        password = None if name in users else secrets.token_urlsafe(12)
        user = users.get(name) or argilla.call(
            "POST", "/users", body={"username": name, "first_name": name, "password": password, "role": "annotator"}
        )
        if user["id"] not in members:
            argilla.call("POST", f"/workspaces/{queue.workspace_id}/users", body={"user_id": user["id"]})
        annotators.append(Annotator(name, user["api_key"], password))
    return annotators

"""A queue: the Argilla dataset that shows items to annotators. Made once, pushed to as often as one likes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..runs import Progress, silent
from .argilla import BULK_RECORDS, Argilla, Json, batches
from .form import FormSettings
from .item import Item
from .questions import protocol, questions
from .record import fields, record, unshowable
from .settings import CollectSettings
from .sides import shown_order

MAX_GUIDELINES = 10_000
"""Argilla's limit on guidelines, in characters."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A published Argilla dataset of ours."""

    id: str
    name: str
    workspace: str
    workspace_id: str
    protocol: str
    """The content hash of its questions, fields and guidelines."""
    form: FormSettings
    """What its annotators are asked, and how they see it."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did with each item."""

    added: int
    already_there: int
    refused: tuple[tuple[str, str], ...]
    """(item id, reason) of items that Argilla could not show."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How far the annotators are."""

    total: int
    completed: int
    submitted: dict[str, int]
    """Submitted answers of each annotator."""


def open_queue(argilla: Argilla, settings: CollectSettings) -> Queue:
    """Return the queue, made and published first if need be; one that a kill left half-made is finished.

    Raises:
        UserError: a queue of this name exists and shows other questions or guidelines.
    """
    guidelines = _guidelines(settings)
    form = protocol(settings.form, guidelines)
    workspace = _ensure_workspace(argilla, settings.workspace)
    dataset = _find_dataset(argilla, settings.queue, workspace) or _create_dataset(
        argilla, settings, workspace, guidelines, form
    )
    if (dataset.get("metadata") or {}).get("protocol") != form:
        raise UserError(
            f"the queue {settings.queue!r} in Argilla was published with other questions or guidelines, and people may "
            "have answered those; give this one another name (collect.queue)"
        )
    if dataset["status"] != "ready":
        _publish(argilla, dataset["id"], settings)
    return Queue(dataset["id"], settings.queue, settings.workspace, workspace, form, settings.form)


def find_queue(argilla: Argilla, settings: CollectSettings) -> Queue:
    """Return the queue that a push has made.

    Raises:
        UserError: there is none.
    """
    workspaces = {row["name"]: row["id"] for row in argilla.items("/me/workspaces")}
    workspace = workspaces.get(settings.workspace)
    dataset = _find_dataset(argilla, settings.queue, workspace) if workspace else None
    if dataset is None or workspace is None:
        raise UserError(
            f"there is no queue {settings.queue!r} in workspace {settings.workspace!r} of {argilla.url}; push first"
        )
    return Queue(
        dataset["id"],
        settings.queue,
        settings.workspace,
        workspace,
        (dataset.get("metadata") or {}).get("protocol", ""),
        settings.form,
    )


def push(argilla: Argilla, queue: Queue, items: Sequence[Item], key: bytes, *, progress: Progress = silent) -> Pushed:
    """Add the items that the queue does not show yet.

    Items are known by content hash, so pushing twice, or again after a kill at any point, adds nothing twice; records
    that are there are never written to, so no answer can be lost.
    """
    refused = tuple((item.id, reason) for item in items if (reason := unshowable(item, queue.form)))
    there = {row["external_id"] for row, _ in argilla.records(queue.id, responses=False)}
    bad = {item_id for item_id, _ in refused}
    new = [item for item in items if item.id not in there and item.id not in bad]
    for done, batch in enumerate(batches(new, BULK_RECORDS // 5)):
        rows = [record(item, shown_order(key, item.id, queue.form.candidates), queue.form) for item in batch]
        argilla.call("POST", f"/datasets/{queue.id}/records/bulk", body={"items": rows})
        progress(min(len(new), (done + 1) * BULK_RECORDS // 5), len(new))
    return Pushed(len(new), len(items) - len(new) - len(refused), refused)


def queue_status(argilla: Argilla, queue: Queue) -> QueueStatus:
    """Ask Argilla how far the annotators are."""
    progress = argilla.call("GET", f"/datasets/{queue.id}/progress")
    users = argilla.call("GET", f"/datasets/{queue.id}/users/progress")["users"]
    submitted = {user["username"]: user["completed"]["submitted"] + user["pending"]["submitted"] for user in users}
    return QueueStatus(progress["total"], progress["completed"], submitted)


def _guidelines(settings: CollectSettings) -> str:
    try:
        text = settings.guidelines.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the guidelines {settings.guidelines} can't be read: {error.strerror}") from error
    if not 0 < len(text.strip()) <= MAX_GUIDELINES:
        raise UserError(
            f"the guidelines {settings.guidelines} have {len(text)} characters; Argilla takes 1 to {MAX_GUIDELINES}"
        )
    return text


def _ensure_workspace(argilla: Argilla, name: str) -> str:
    found = [row["id"] for row in argilla.items("/me/workspaces") if row["name"] == name]
    return str(found[0] if found else argilla.call("POST", "/workspaces", body={"name": name})["id"])


def _find_dataset(argilla: Argilla, name: str, workspace: str) -> Json | None:
    rows = argilla.items(f"/me/datasets?workspace_id={workspace}")
    return next((row for row in rows if row["name"] == name), None)


def _create_dataset(argilla: Argilla, settings: CollectSettings, workspace: str, guidelines: str, form: str) -> Json:
    body = {
        "name": settings.queue,
        "workspace_id": workspace,
        "guidelines": guidelines,
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": settings.min_votes},
        "metadata": {"protocol": form},
    }
    return dict(argilla.call("POST", "/datasets", body=body))


def _publish(argilla: Argilla, dataset_id: str, settings: CollectSettings) -> None:
    for kind, rows in (("fields", fields(settings.form)), ("questions", questions(settings.form))):
        there = {row["name"] for row in argilla.items(f"/datasets/{dataset_id}/{kind}")}
        for row in rows:
            if row["name"] not in there:
                argilla.call("POST", f"/datasets/{dataset_id}/{kind}", body=row)
    argilla.call("PUT", f"/datasets/{dataset_id}/publish")

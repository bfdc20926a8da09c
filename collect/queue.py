"""A queue: the Argilla dataset that shows items to annotators. Made once, pushed to as often as one likes.

Argilla freezes a published form. When form or guidelines change, `migrate.py` makes the next version of the queue, a
dataset of its own: `replies`, then `replies.v2`, `replies.v3`. A recipe's queue has no dot in its name, so that the
versions of one queue are never taken for another queue.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import UserError
from ..runs import Progress, silent
from .argilla import Argilla, Json
from .display import fields, record, unshowable
from .form import FormSettings
from .item import Item
from .questions import clicked, protocol, questions
from .records import add_records, digest, record_digests
from .settings import CollectSettings
from .sides import shown_order
from .suggestions import Suggestion

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
    version: int
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
    wanted = wanted_protocol(settings)
    workspace = ensure_workspace(argilla, settings.workspace)
    versions = queue_versions(argilla, settings.queue, workspace)
    found = next((row for row in versions.values() if shown_protocol(row) == wanted), None)
    if found is None and versions:
        raise UserError(
            f"the queue {settings.queue!r} in Argilla was published with other questions or guidelines, and people may "
            "have answered those; `prefloop collect migrate` makes its next version and carries the votes over"
        )
    if found is not None and is_unfinished(found):
        raise UserError(_half_migrated(found))
    return publish(argilla, settings, found or create_dataset(argilla, settings, workspace, 1, {}))


def find_queue(argilla: Argilla, settings: CollectSettings) -> Queue:
    """Return the queue that a push has made: its newest version with these questions and guidelines.

    Where none has them (the guidelines were edited after the push, say) it is the newest of all.

    Raises:
        UserError: there is none, or its migration was stopped half-way.
    """
    workspaces = {row["name"]: row["id"] for row in argilla.items("/me/workspaces")}
    workspace = workspaces.get(settings.workspace)
    versions = queue_versions(argilla, settings.queue, workspace) if workspace else {}
    if not versions or workspace is None:
        raise UserError(
            f"there is no queue {settings.queue!r} in workspace {settings.workspace!r} of {argilla.url}; push first"
        )
    wanted = wanted_protocol(settings)
    matching = (row for row in versions.values() if shown_protocol(row) == wanted)
    found = next(matching, next(iter(versions.values())))
    if is_unfinished(found):
        raise UserError(_half_migrated(found))
    return as_queue(found, settings)


def push(
    argilla: Argilla,
    queue: Queue,
    items: Sequence[Item],
    key: bytes,
    *,
    answers: Mapping[str, Sequence[Json]] = MappingProxyType({}),
    suggestions: Mapping[str, Suggestion] = MappingProxyType({}),
    progress: Progress = silent,
) -> Pushed:
    """Add the items that the queue does not show yet.

    Items are known by content hash, so pushing twice, or again after a kill at any point, adds nothing twice; records
    that are there are never written to, so no answer can be lost.

    Args:
        argilla: connected as an owner.
        queue: where to.
        items: what to show.
        key: the side key, which decides in which order an item's candidates are shown.
        answers: Argilla responses that new records are made with, by item id; records already there get none.
        suggestions: choices that new records show, by item id; records already there get none.
        progress: called with new items added and new items in all.

    Raises:
        UserError: the queue was filled with another side key, by which its answers would be taken for their opposites.
    """
    refused = tuple((item.id, reason) for item in items if (reason := unshowable(item, queue.form)))
    there = record_digests(argilla, queue.id)
    bad = {item_id for item_id, _ in refused}
    rows = {item.id: _row(item, queue, key) for item in items if item.id not in bad}
    _refuse_other_key(queue, rows, there)
    suggested = _suggested(argilla, queue, suggestions, key)
    new = [
        row | _answered(answers.get(item_id)) | suggested.get(item_id, {})
        for item_id, row in rows.items()
        if item_id not in there
    ]
    add_records(argilla, queue.id, new, progress=progress)
    return Pushed(len(new), len(rows) - len(new), refused)


def queue_status(argilla: Argilla, queue: Queue) -> QueueStatus:
    """Ask Argilla how far the annotators are."""
    progress = argilla.call("GET", f"/datasets/{queue.id}/progress")
    users = argilla.call("GET", f"/datasets/{queue.id}/users/progress")["users"]
    submitted = {user["username"]: user["completed"]["submitted"] + user["pending"]["submitted"] for user in users}
    return QueueStatus(progress["total"], progress["completed"], submitted)


def read_guidelines(settings: CollectSettings) -> str:
    """Return the guidelines' text. Raises UserError where it can't be read or is too long for Argilla."""
    try:
        text = settings.guidelines.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the guidelines {settings.guidelines} can't be read: {error}") from error
    if not 0 < len(text.strip()) <= MAX_GUIDELINES:
        raise UserError(
            f"the guidelines {settings.guidelines} have {len(text)} characters; Argilla takes 1 to {MAX_GUIDELINES}"
        )
    return text


def ensure_workspace(argilla: Argilla, name: str) -> str:
    """Return the id of the workspace, made first if need be."""
    found = [row["id"] for row in argilla.items("/me/workspaces") if row["name"] == name]
    return str(found[0] if found else argilla.call("POST", "/workspaces", body={"name": name})["id"])


def queue_versions(argilla: Argilla, name: str, workspace: str) -> dict[int, Json]:
    """Return the datasets that are versions of a queue, the newest first."""
    rows = argilla.items(f"/me/datasets?workspace_id={workspace}")
    named = {row["name"]: row for row in rows}
    numbers = [int(found[1]) for row in rows if (found := re.fullmatch(re.escape(name) + r"\.v(\d+)", row["name"]))]
    return {
        number: named[version_name(name, number)]
        for number in sorted({1, *numbers}, reverse=True)
        if version_name(name, number) in named
    }


def version_name(name: str, version: int) -> str:
    """Return the dataset's name of a queue's version."""
    return name if version == 1 else f"{name}.v{version}"


def _row(item: Item, queue: Queue, key: bytes) -> Json:
    return record(item, shown_order(key, item.id, queue.form.candidates), queue.form)


def _answered(responses: Sequence[Json] | None) -> Json:
    return {"responses": list(responses)} if responses else {}


def _suggested(argilla: Argilla, queue: Queue, suggestions: Mapping[str, Suggestion], key: bytes) -> dict[str, Json]:
    """Return the suggestions as parts of their records: what would be clicked, on the sides as they are shown."""
    if not suggestions:
        return {}
    if queue.form.kind != "pairwise":
        raise UserError("collect.suggestions are for pairwise forms only; a ranking shows none")
    asked = {row["name"]: row["id"] for row in argilla.items(f"/datasets/{queue.id}/questions")}["preference"]
    return {
        item_id: {
            "suggestions": [
                {
                    "question_id": asked,
                    "value": clicked(one.choice, shown_order(key, item_id, 2)),
                    "score": one.score,
                    "agent": one.agent,
                    "type": "model",
                }
            ]
        }
        for item_id, one in suggestions.items()
        if one.choice != "tie" or queue.form.tie
    }


def _refuse_other_key(queue: Queue, rows: Mapping[str, Json], there: Mapping[str, str]) -> None:
    other = [key for key, row in rows.items() if key in there and digest(row["fields"]) != there[key]]
    if other:
        raise UserError(
            f"{len(other)} items in the queue {queue.name!r} show their answers in another order than this run draws "
            f"(first: {other[0]}): another run filled it, with a side key of its own. Go on in that run (--run), or "
            "give this recipe a queue of its own (collect.queue)"
        )


def wanted_protocol(settings: CollectSettings) -> str:
    """Return the protocol that the settings ask for."""
    return protocol(settings.form, read_guidelines(settings))


def shown_protocol(dataset: Json) -> str:
    """Return the protocol that a dataset was made with, an empty text where prefloop did not make it."""
    return str((dataset.get("metadata") or {}).get("protocol", ""))


def is_unfinished(dataset: Json) -> bool:
    """Whether votes were being carried over into this version when that was stopped."""
    return bool((dataset.get("metadata") or {}).get("migrating"))


def create_dataset(
    argilla: Argilla, settings: CollectSettings, workspace: str, version: int, metadata: Mapping[str, object]
) -> Json:
    """Make a version of the queue, not published yet."""
    ours = {"protocol": wanted_protocol(settings), "version": version, "form": settings.form.model_dump(mode="json")}
    body = {
        "name": version_name(settings.queue, version),
        "workspace_id": workspace,
        "guidelines": read_guidelines(settings),
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": settings.min_votes},
        "metadata": ours | dict(metadata),
    }
    return dict(argilla.call("POST", "/datasets", body=body))


def publish(argilla: Argilla, settings: CollectSettings, dataset: Json) -> Queue:
    """Give the dataset its form and show it to annotators, as far as that was not done yet."""
    if dataset["status"] != "ready":
        for kind, rows in (("fields", fields(settings.form)), ("questions", questions(settings.form))):
            there = {row["name"] for row in argilla.items(f"/datasets/{dataset['id']}/{kind}")}
            for row in rows:
                if row["name"] not in there:
                    argilla.call("POST", f"/datasets/{dataset['id']}/{kind}", body=row)
        argilla.call("PUT", f"/datasets/{dataset['id']}/publish")
    return as_queue(dataset, settings)


def as_queue(dataset: Json, settings: CollectSettings) -> Queue:
    """Return what the others need to know of a dataset. It has the form it was made with, whatever the settings say."""
    metadata = dataset.get("metadata") or {}
    form = FormSettings.model_validate(metadata["form"]) if "form" in metadata else settings.form
    return Queue(
        id=dataset["id"],
        name=dataset["name"],
        workspace=settings.workspace,
        workspace_id=dataset["workspace_id"],
        protocol=shown_protocol(dataset),
        version=int(metadata.get("version", 1)),
        form=form,
    )


def _half_migrated(dataset: Json) -> str:
    return (
        f"the votes were being carried over into {dataset['name']!r} when that was stopped; "
        "`prefloop collect migrate` again brings the rest"
    )

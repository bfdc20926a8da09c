"""A queue: the Argilla dataset that shows items to annotators. Made once, pushed to as often as one likes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from types import MappingProxyType

from ...errors import UserError
from ...runs import Progress, silent
from ..item import Item
from ..sampling.suggestions import Suggestion
from ..settings import CollectSettings
from ..sides import shown_order
from .argilla import Argilla, Json
from .display import fields, record, unshowable
from .form import FormSettings
from .questions import clicked, protocol, questions
from .records import add_records, digest, record_digests, record_ids
from .versions import VersionName, is_unfinished, queue_versions, version_name

MAX_GUIDELINES = 10_000
"""Argilla's limit on guidelines, in characters."""
FEW = 4
"""With so many candidates all orders are tried, to tell another order from another text."""


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
    notes: tuple[str, ...] = ()
    """What this Argilla can't do of what the recipe asks, and what is still to be done."""


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
    workspace = ensure_workspace(argilla, settings.workspace)
    newest = next(iter(queue_versions(argilla, settings.queue, workspace).values()), None)
    if newest is None:
        newest = create_dataset(argilla, settings, workspace, VersionName(settings.queue), None)
    if is_unfinished(newest):
        raise UserError(_half_migrated(newest))
    if shown_protocol(newest) != wanted_protocol(settings):
        raise UserError(
            f"the queue {newest['name']!r} in Argilla was published with other questions or guidelines, and people may "
            "have answered those; `prefloop collect migrate` makes its next version and carries the votes over"
        )
    return publish(argilla, settings, newest)


def find_queue(argilla: Argilla, settings: CollectSettings) -> Queue:
    """Return the newest version of the queue that a push or a migration has made.

    Raises:
        UserError: there is none, or its migration was stopped half-way.
    """
    workspaces = {row["name"]: row["id"] for row in argilla.items("/me/workspaces")}
    workspace = workspaces.get(settings.workspace)
    versions = queue_versions(argilla, settings.queue, workspace) if workspace else {}
    newest = next(iter(versions.values()), None)
    if newest is None:
        raise UserError(
            f"there is no queue {settings.queue!r} in workspace {settings.workspace!r} of {argilla.url}; push first"
        )
    if is_unfinished(newest):
        raise UserError(_half_migrated(newest))
    return as_queue(newest, settings)


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
    _refuse_other_key(queue, [item for item in items if item.id not in bad], key, there)
    suggested = _suggested(argilla, queue, suggestions, key)
    new = [
        row | _answered(answers.get(item_id)) | suggested.get(item_id, {})
        for item_id, row in rows.items()
        if item_id not in there
    ]
    _add(argilla, queue, new, progress)
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


def _row(item: Item, queue: Queue, key: bytes) -> Json:
    return record(item, shown_order(key, item.id, queue.form.candidates), queue.form)


def _add(argilla: Argilla, queue: Queue, new: Sequence[Json], progress: Progress) -> None:
    """Add records. A push killed a moment ago may still be adding them, and stock Argilla refuses them twice."""
    while True:
        try:
            add_records(argilla, queue.id, new, progress=progress)
            return
        except UserError:
            there = record_ids(argilla, queue.id)
            left = [row for row in new if row["external_id"] not in there]
            if len(left) == len(new):
                raise
            new = left


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


def _refuse_other_key(queue: Queue, items: Sequence[Item], key: bytes, there: Mapping[str, str]) -> None:
    """Stop where records show the answers in another order than the key draws. Other differences mislead nobody."""
    other = [item.id for item in items if item.id in there and _is_reordered(item, queue, key, there[item.id])]
    if other:
        raise UserError(
            f"{len(other)} items in the queue {queue.name!r} show their answers in another order than this run draws "
            f"(first: {other[0]}): another run filled it, with a side key of its own. Go on in that run (--run), or "
            "give this recipe a queue of its own (collect.queue)"
        )


def _is_reordered(item: Item, queue: Queue, key: bytes, shown: str) -> bool:
    order = shown_order(key, item.id, queue.form.candidates)
    if digest(record(item, order, queue.form)["fields"]) == shown:
        return False
    orders = ("".join(letters) for letters in permutations(order)) if len(order) <= FEW else ()
    return len(order) > FEW or any(digest(record(item, each, queue.form)["fields"]) == shown for each in orders)


def wanted_protocol(settings: CollectSettings) -> str:
    """Return the protocol that the settings ask for."""
    return protocol(settings.form, read_guidelines(settings))


def shown_protocol(dataset: Json) -> str:
    """Return the protocol that a dataset was made with, an empty text where prefloop did not make it."""
    return str((dataset.get("metadata") or {}).get("protocol", ""))


def create_dataset(
    argilla: Argilla, settings: CollectSettings, workspace: str, version: VersionName, predecessor: str | None
) -> Json:
    """Make a version of the queue, not published yet."""
    form = {"protocol": wanted_protocol(settings), "form": settings.form.model_dump(mode="json")}
    body = {
        "name": version.dataset,
        "workspace_id": workspace,
        "guidelines": read_guidelines(settings),
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": settings.min_votes},
        "metadata": form | {"version": version.version, "predecessor": predecessor},
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
        version=version_name(dataset["name"]).version,
        form=form,
    )


def _half_migrated(dataset: Json) -> str:
    return (
        f"the votes were being carried over into {dataset['name']!r} when that was stopped; "
        "`prefloop collect migrate` again brings the rest"
    )

"""From another Argilla server: a stock dataset's records with every annotator's answer, through the raw REST API.

The SDK can't move several annotators' answers: it folds unknown users into one and keeps only ranks' order
(argilla 2.8, docs/decisions/raw-rest.md).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import UserError
from ...runs import Progress, silent
from ..item import Item, Side
from ..queues.argilla import Argilla, Json
from ..vote import Choice, Status, Vote
from .fields import choice, maybe_text, moment, whole
from .imported import About, Imported, Options, Refused, Row, Rows, Taken, distinct, gather
from .table import renamed, take_item

ABOUT = About("argilla", "own data from Argilla", "people's answers in an Argilla dataset", None)
IN_RECORD = ("prompt", "system", "chosen", "rejected", "response_a", "response_b", "model_a", "model_b", "tags", "item")
"""Columns that map to a record's fields or metadata; `label`, `strength`, `critique` and `edit` map to questions."""
STATUSES: tuple[Status, ...] = ("submitted", "draft", "discarded")


def import_argilla(argilla: Argilla, place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import a dataset of another Argilla server, which the connection reaches as an owner.

    Args:
        argilla: The connection.
        place: `workspace/dataset`.
        options: What is which: `prompt`, `response_a`, `response_b` name fields, `label` a label or ranking question.
        progress: Called with rows done and rows in all.

    Raises:
        UserError: there is no such dataset, it is a queue of prefloop's, or its questions don't say which is better.
    """
    dataset, workspace = _find(argilla, place)
    fields = [row["name"] for row in argilla.items(f"/datasets/{dataset['id']}/fields")]
    questions = {row["name"]: row["settings"]["type"] for row in argilla.items(f"/datasets/{dataset['id']}/questions")}
    label = _label_question(questions, options.columns)
    names = {row["id"]: row["username"] for row in argilla.items("/users")}
    options = replace(
        options,
        name=options.name or f"{workspace}/{dataset['name']}",
        protocol=options.protocol or str(dataset.get("guidelines") or ABOUT.protocol),
        columns={**options.columns, "label": label},
    )
    take = partial(take_record, options=options, names=names, left=_left(fields, options.columns))
    return gather(ABOUT, _rows(argilla, dataset["id"], options), options, take, progress=progress)


def take_record(row_id: str, row: Row, *, options: Options, names: Mapping[str, str], left: Side | None) -> Taken:
    """Turn one record into an item and a vote a response."""
    columns = {ours: theirs for ours, theirs in options.columns.items() if ours in IN_RECORD}
    item, _ = take_item(renamed({**row["metadata"], **row["fields"]}, columns), str(options.name))
    votes, left_out = [], []
    for response in row["responses"]:
        try:
            votes.append(_vote(response, item, options, names, left))
        except Refused as refusal:
            left_out.append(f"a response was left out: {refusal}")
    if left_out and not votes:
        raise Refused(left_out[0])
    return Taken((item,), tuple(votes), distinct(left_out))


def _find(argilla: Argilla, place: str) -> tuple[Json, str]:
    workspace, slash, dataset_name = place.rpartition("/")
    if not slash:
        raise UserError(f"{place!r} does not name a dataset; say workspace/dataset")
    workspaces = {row["name"]: row["id"] for row in argilla.items("/me/workspaces")}
    rows = argilla.items(f"/me/datasets?workspace_id={workspaces[workspace]}") if workspace in workspaces else []
    found = next((row for row in rows if row["name"] == dataset_name), None)
    if found is None:
        there = ", ".join(row["name"] for row in rows) or "none"
        raise UserError(f"there is no dataset {place!r} at {argilla.url} (in this workspace: {there})")
    if "protocol" in (found.get("metadata") or {}):
        raise UserError(
            f"{place} is a queue of prefloop's own: only the run that pushed it knows which answer was shown where; "
            "read it with `prefloop collect pull`"
        )
    return found, workspace


def _label_question(questions: Mapping[str, str], columns: Mapping[str, str]) -> str:
    named = columns.get("label")
    if named is not None:
        if questions.get(named) not in ("label_selection", "ranking"):
            raise UserError(f"label={named}: no label or ranking question; there are {', '.join(questions)}")
        return named
    fit = [question for question, kind in questions.items() if kind in ("label_selection", "ranking")]
    if len(fit) != 1:
        raise UserError(f"say which question tells the better answer with --map label=… ({', '.join(questions)})")
    return fit[0]


def _left(fields: Sequence[str], columns: Mapping[str, str]) -> Side | None:
    """Return the answer that the page shows first: Argilla shows fields in their order, the same for everyone."""
    a, b = (columns.get(side, side) for side in ("response_a", "response_b"))
    if a not in fields or b not in fields:
        return None
    return "A" if fields.index(a) < fields.index(b) else "B"


def _rows(argilla: Argilla, dataset_id: str, options: Options) -> Rows:
    records = list(_records(argilla, dataset_id, options.limit))
    text = json.dumps(records, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Rows([(row["external_id"] or row["id"], row) for row in records], {"records": digest})


def _records(argilla: Argilla, dataset_id: str, limit: int | None) -> Iterator[Json]:
    for number, (row, _) in enumerate(argilla.records(dataset_id, responses=True)):
        if limit is not None and number >= limit:
            return
        yield {
            "id": row["id"],
            "external_id": row["external_id"],
            "fields": row["fields"],
            "metadata": row.get("metadata") or {},
            "responses": row.get("responses") or [],
        }


def _vote(response: Json, item: Item, options: Options, names: Mapping[str, str], left: Side | None) -> Vote:
    answers = {question: answer.get("value") for question, answer in (response.get("values") or {}).items()}
    columns, status = options.columns, response["status"]
    if status not in STATUSES:
        raise Refused(f"status {status} is unknown")
    told = answers.get(columns["label"])
    made: Choice | None = "skip" if status == "discarded" and told is None else None
    if told is not None:
        made = _ranked(told, options.labels) if isinstance(told, list) else choice(told, options.labels)
    elif status == "submitted":
        raise Refused("it does not answer which is better")
    return Vote(
        item_id=item.id,
        annotator=names.get(response["user_id"]) or str(response["user_id"]),
        choice=made,
        left=left,
        status=status,
        strength=whole(answers, columns["strength"], 1, 4) if "strength" in columns else None,
        critique=maybe_text(answers, columns["critique"]) if "critique" in columns else None,
        edit=maybe_text(answers, columns["edit"]) if "edit" in columns else None,
        id=response["id"],
        inserted_at=moment(response, "inserted_at"),
        updated_at=moment(response, "updated_at"),
    )


def _ranked(told: list[Any], labels: Mapping[str, str]) -> Choice:
    """Return what a ranking says of the two answers; ranks may tie."""
    ranks: dict[Choice, int] = {}
    for row in told:
        try:
            ranks[choice(row["value"], labels)] = row["rank"]
        except Refused:
            continue  # a further answer, which no --label makes A or B
    if "A" not in ranks or "B" not in ranks or None in ranks.values():
        raise Refused("the ranking does not rank both answers")
    return "tie" if ranks["A"] == ranks["B"] else ("A" if ranks["A"] < ranks["B"] else "B")

"""A Label Studio export (JSON, not JSON-MIN): tasks with several people's annotations.

Read as described in labelstud.io/guide/task_format (tasks with `data` and `annotations`, each with `completed_by`,
`result`, `was_cancelled`, `lead_time` in seconds) and labelstud.io/tags/pairwise (a `pairwise` result holds
`value.selected`, `left` or `right`). Which data field is the left text is said by the column map (`response_a`), which
control is what by its `from_name`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...runs import Progress, silent
from ..item import Item
from ..vote import Choice, Vote
from .fields import checked_text, choice, moment, name, seconds, value, whole
from .imported import About, Imported, Options, Refused, Row, Taken, distinct, gather, vote_id
from .reading import read_rows
from .table import renamed, take_item

ABOUT = About("label-studio", "own data from Label Studio", "people's choices in a Label Studio project", None)
IN_DATA = ("prompt", "system", "response_a", "response_b", "model_a", "model_b", "tags", "item")
"""Columns that map to a task's data; the others map to controls."""
SIDES: dict[str, Choice] = {"left": "A", "right": "B"}


def import_label_studio(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import a Label Studio export. Raises UserError where the file can't be read."""
    options = replace(options, name=options.name or Path(place).name.split(".")[0])
    take = partial(take_task, options=options)
    return gather(ABOUT, read_rows(place, options), options, take, progress=progress)


def take_task(row_id: str, row: Row, *, options: Options) -> Taken:
    """Turn one task into an item and a vote an annotation."""
    source, data, annotations = str(options.name), row.get("data"), row.get("annotations") or []
    if not isinstance(data, Mapping):
        raise Refused("the task has no data; is it a JSON-MIN export? Import that one as a table")
    if not isinstance(annotations, list | tuple):
        raise Refused("annotations is not a list")
    item, _ = take_item(
        renamed(data, {ours: name for ours, name in options.columns.items() if ours in IN_DATA}), source
    )
    votes, left_out = [], []
    for place, annotation in enumerate(annotations):
        try:
            votes.append(_vote(annotation, item, vote_id(source, row_id, place), options))
        except Refused as refusal:
            left_out.append(f"an annotation was left out: {refusal}")
    if left_out and not votes:
        raise Refused(left_out[0])
    return Taken((item,), tuple(votes), distinct(left_out))


def _vote(annotation: Any, item: Item, fallback: str, options: Options) -> Vote:
    if not isinstance(annotation, Mapping):
        raise Refused("it is no object")
    skipped = annotation.get("was_cancelled") is True
    results = _results(annotation.get("result"))
    columns = options.columns
    return Vote(
        item_id=item.id,
        annotator=_annotator(annotation),
        choice="skip" if skipped else _choice(results, columns.get("label"), options.labels),
        # A pairwise control has a left and a right text, the same for everyone; of other pages nothing is known.
        left="A" if any(row.get("type") == "pairwise" for row in results) else None,
        status="discarded" if skipped else "submitted",
        strength=whole({"rating": _of(results, columns.get("strength"), "rating")}, "rating", 1, 4),
        critique=_written(_of(results, columns.get("critique"), "text")),
        edit=_written(_of(results, columns.get("edit"), "text")),
        seconds=seconds(annotation, "lead_time"),
        id=f"{options.name}:annotation-{number}" if (number := name(annotation, "id")) else fallback,
        inserted_at=moment(annotation, "created_at"),
        updated_at=moment(annotation, "updated_at"),
    )


def _results(found: Any) -> list[Row]:
    rows = found if isinstance(found, list | tuple) else []
    return [row for row in rows if isinstance(row, Mapping) and isinstance(row.get("value"), Mapping)]


def _choice(results: list[Row], control: str | None, labels: Mapping[str, str]) -> Choice:
    for row in results:
        if control is not None and row.get("from_name") != control:
            continue
        if row.get("type") == "pairwise" and (selected := value(row, "value.selected")) is not None:
            return choice(selected, {**SIDES, **labels}, "selected")
        picked = value(row, "value.choices")
        if isinstance(picked, list | tuple) and len(picked) == 1:
            return choice(picked[0], labels, "choice")
        if control is not None and (rating := value(row, "value.rating")) is not None:
            return choice(rating, labels, "rating")
    raise Refused("it holds no choice")


def _of(results: list[Row], control: str | None, field: str) -> Any:
    return next((row["value"].get(field) for row in results if control and row.get("from_name") == control), None)


def _written(found: Any) -> str | None:
    lines = found if isinstance(found, list | tuple) else [found]
    return "\n".join(checked_text(line, "a text", blank=True) for line in lines if line is not None).strip() or None


def _annotator(annotation: Row) -> str:
    """Return a name that tells no more than the export's own number: addresses stay out."""
    found = annotation.get("completed_by")
    number = name(found, "id") if isinstance(found, Mapping) else name(annotation, "completed_by")
    if number is None or "@" in number:
        raise Refused("completed_by does not say who")
    return f"label-studio-{number}"

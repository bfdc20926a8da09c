"""Own tables: JSON lines, JSON, CSV, Parquet, and any `datasets` data set, read by a column map.

A row holds either `chosen` and `rejected`, or `response_a` and `response_b` with or without a `label`; with several
rows on the same texts (one a vote), the texts become one item with several votes. Responses may be text, a message, or
whole conversations that share all but the last answer, as TRL's conversational preference form has them
(huggingface.co/docs/trl/dataset_formats).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...errors import Problems
from ...runs import Progress, silent
from ..item import Item, Message, Side
from ..vote import Choice, Vote
from .fields import (
    blind,
    checked_text,
    choice,
    conversation,
    last_answer,
    maybe_text,
    moment,
    name,
    seconds,
    value,
    well_formed,
    whole,
)
from .imported import About, Imported, Options, Refused, Row, Rows, Taken, gather, vote_id, written_by
from .reading import read_rows

COLUMNS: dict[str, str] = {
    "prompt": "the prompt: text or messages; may be missing where the responses are whole conversations",
    "system": "a system message before the prompt",
    "chosen": "the better response",
    "rejected": "the other one",
    "response_a": "the first response",
    "response_b": "the second one",
    "label": "which is better: A, B, tie, both_bad, skip, or what --label says",
    "annotator": "who judged; without it, all votes are one annotator's",
    "strength": "how much better, 1 to 4",
    "critique": "why",
    "edit": "a better version of the chosen response",
    "seconds": "how long the vote took",
    "time": "when it was given: ISO 8601 or seconds since 1970",
    "first_shown": "which response stood first, A or B (chosen or rejected)",
    "model_a": "who wrote response_a",
    "model_b": "who wrote response_b",
    "model_chosen": "who wrote chosen",
    "model_rejected": "who wrote rejected",
    "item": "the item's id in the source, where the same texts may be two items",
    "vote": "the vote's id in the source",
    "tags": "tags of the item: text or a list",
}
"""What can be mapped, in our words."""
ABOUT = About("table", "own data", "pairs or votes as their owner collected them", None)
UNNAMED = "unnamed"


def import_table(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import a table of one's own.

    Raises:
        UserError: the file can't be read.
        Problems: a mapped column that is not ours, or that no row has.
    """
    rows = read_rows(place, options)
    source = options.name or _stem(place)
    return import_rows(rows, replace(options, name=source), progress=progress)


def import_rows(rows: Rows, options: Options, *, about: About = ABOUT, progress: Progress = silent) -> Imported:
    """Import rows that are in hand already. Raises Problems as `import_table`."""
    _check_columns(rows, options.columns)
    return gather(about, rows, options, partial(take_row, options=options), progress=progress)


def take_row(row_id: str, row: Row, *, options: Options) -> Taken:
    """Turn one row into an item and its vote."""
    row = renamed(row, options.columns)
    source = options.name or UNNAMED
    item, chosen = take_item(row, source)
    if chosen is None and missing(row, "label"):
        return Taken((item,), notes=("no label: an item without a vote",) if "label" in options.columns else ())
    made = chosen or choice(value(row, "label"), options.labels)
    return Taken((item,), (_vote(row_id, row, item, made, source),))


def take_item(row: Row, source: str) -> tuple[Item, Side | None]:
    """Return a row's item, and which side was chosen where the row says so by its form."""
    if not missing(row, "chosen") or not missing(row, "rejected"):
        prompt, good, bad = _texts(row, "chosen", "rejected")
        a, b, side = blind(good, bad)
        names = ["model_chosen", "model_rejected"]
    elif not missing(row, "response_a") or not missing(row, "response_b"):
        prompt, a, b = _texts(row, "response_a", "response_b")
        side, names = None, ["model_a", "model_b"]
    else:
        raise Refused("the row has neither chosen and rejected nor response_a and response_b")
    # An item that is voted on in several rows must be the same item in each: its row is the mapped id, or none.
    origins = [written_by(name(row, column), source, name(row, "item")) for column in names]
    first, second = reversed(origins) if side == "B" else origins
    return well_formed(Item(prompt, a, b, first, second, _tags(row))), side


def _texts(row: Row, first: str, second: str) -> tuple[tuple[Message, ...], str, str]:
    before, texts = [], []
    for column in (first, second):
        found = value(row, column)
        if isinstance(found, list | tuple | Mapping):
            prefix, answer = last_answer(conversation(found, column), column)
            before.append(prefix)
            texts.append(checked_text(answer, column))
        else:
            before.append(())
            texts.append(checked_text(found, column))
    if before[0] != before[1]:
        raise Refused("the two conversations differ before the last answer")
    prompt = before[0] or conversation(value(row, "prompt"), "prompt")
    system = maybe_text(row, "system")
    return ((Message("system", system),) if system else ()) + prompt, texts[0], texts[1]


def _vote(row_id: str, row: Row, item: Item, made: Choice, source: str) -> Vote:
    return Vote(
        item_id=item.id,
        annotator=name(row, "annotator") or source,
        choice=made,
        left=_first_shown(row, made),
        status="discarded" if made == "skip" else "submitted",
        strength=whole(row, "strength", 1, 4),
        critique=maybe_text(row, "critique"),
        edit=maybe_text(row, "edit"),
        seconds=seconds(row, "seconds"),
        id=vote_id(source, name(row, "vote") or row_id),
        inserted_at=(when := moment(row, "time")),
        updated_at=when,
    )


def _first_shown(row: Row, made: Choice) -> Side | None:
    found = value(row, "first_shown")
    if found is None:
        return None
    if found in ("chosen", "rejected") and made in ("A", "B"):
        return "A" if (found == "chosen") == (made == "A") else "B"
    side = choice(found, {}, "first_shown")
    if side not in ("A", "B"):
        raise Refused("first_shown is neither A nor B")
    return side


def _tags(row: Row) -> tuple[str, ...]:
    found = value(row, "tags")
    if found is None:
        return ()
    rows = found if isinstance(found, list | tuple) else [found]
    return tuple(checked_text(tag, "a tag") for tag in rows)


def missing(row: Row, column: str) -> bool:
    """Whether a field has no value."""
    return value(row, column) in (None, "")


def renamed(row: Row, columns: Mapping[str, str]) -> Row:
    """Return the row with the mapped fields under our names as well."""
    return dict(row) | {ours: value(row, theirs) for ours, theirs in columns.items()}


def _check_columns(rows: Rows, columns: Mapping[str, str]) -> None:
    problems = [
        f"{ours} is no column of ours; there are {', '.join(COLUMNS)}" for ours in columns if ours not in COLUMNS
    ]
    whole_rows = [row for _, row in rows.rows if isinstance(row, Mapping)]
    there = sorted({str(column) for row in whole_rows[:1000] for column in row})[:40]
    problems += [
        f"{ours}={theirs}: no row has a field {theirs!r}; there are {', '.join(there) or 'none'}"
        for ours, theirs in columns.items()
        if whole_rows and all(value(row, theirs) is None for row in whole_rows)
    ]
    if problems:
        raise Problems("--map", problems)


def _stem(place: str) -> str:
    return Path(place).name.split(".")[0] or place

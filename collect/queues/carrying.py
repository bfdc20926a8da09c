"""Votes of one version of a queue, written into the next: as they were given, as far as the new form holds them.

A vote is copied in Argilla's own words: side, rank and text stay what their author clicked. The ledger, `carried.jsonl`
in the run folder, keeps what Argilla can't: which vote of which version it was, and when and under which protocol it
was really given.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from ...runs import read_lines
from ..vote import Vote
from .argilla import Argilla, Json
from .queue import Pushed, Queue, shown_protocol
from .versions import version_name

Votes = Mapping[tuple[str, str], Json]
"""Argilla responses by item id and user id."""
NOT_OURS = "their item is not among the recipe's"
UNSHOWN = "their item can't be shown by the new form"
ANEW = "their author has answered anew in the new version"
CHANGED = "changed in the older version after they were carried over"
UNFIT = "the new form requires an answer that they don't have"
EMPTY = "a draft of which the new form can hold nothing"


@dataclass(slots=True)
class Migrated:
    """What became of one queue and of its votes."""

    queue: str
    version: int
    pushed: Pushed
    sources: list[str] = field(default_factory=list)
    """The datasets that have votes on its items."""
    carried: int = 0
    """Votes in the new version that were given in an earlier one, those of an earlier migration included."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Ids of votes that were not carried over, by reason."""
    values_left_out: dict[str, list[str]] = field(default_factory=dict)
    """Ids of votes that were carried over without an answer that the new form can't hold, by question."""


def restore(votes: Sequence[Vote], ledger: Path) -> list[Vote]:
    """Give votes that were carried over the id, protocol and times they were given with.

    A vote that its author has changed since is a new one, under the new protocol.
    """
    carried = {row["to"]: row for row in read_lines(ledger)}
    restored = []
    for vote in votes:
        row = carried.get(vote.id)
        untouched = row is not None and row["to_updated_at"] == vote.updated_at
        restored.append(replace(vote, **row["vote"]) if row and untouched else vote)
    return restored


def fitting_votes(
    argilla: Argilla,
    queue: Queue,
    sources: Sequence[Json],
    wanted: Collection[str],
    known: Collection[str],
    carried: Mapping[str, Json],
    result: Migrated,
) -> Votes:
    """Return the votes that belong into a queue, cut to what its form holds; count in `result` what it does not.

    Args:
        argilla: connected as an owner.
        queue: the new version.
        sources: the datasets where votes may lie, the newest first; it has the last word on who answered what.
        wanted: the ids of the queue's items.
        known: the ids of all items of the recipe.
        carried: the ledger's rows by the id of the vote that they made.
        result: is added to.
    """
    asked = {row["name"]: row for row in argilla.items(f"/datasets/{queue.id}/questions")}
    seen, fitting = set[tuple[str, str]](), {}
    for source in sources:
        own = version_name(source["name"]).queue == version_name(queue.name).queue
        for record, _ in argilla.records(source["id"], responses=True):
            for vote in record.get("responses") or []:
                place = (record["external_id"], vote["user_id"])
                if own and place[0] not in known:
                    result.left_out.setdefault(NOT_OURS, []).append(vote["id"])
                if place[0] not in wanted or place in seen:  # another queue's, or a newer version has it
                    continue
                seen.add(place)
                if source["name"] not in result.sources:
                    result.sources.append(source["name"])
                if (cut := _cut(vote, asked, result)) is not None:
                    fitting[place] = cut | {"from_queue": source["name"], "vote": _given(vote, source, carried)}
    return fitting


def _given(vote: Json, source: Json, carried: Mapping[str, Json]) -> Json:
    """Return how a vote was really given, which may have been two versions ago."""
    row = carried.get(vote["id"])
    if row and row["to_updated_at"] == vote["updated_at"]:
        return dict(row["vote"])
    own = {"id": vote["id"], "protocol": shown_protocol(source)}
    return own | {"inserted_at": vote["inserted_at"], "updated_at": vote["updated_at"]}


def _cut(vote: Json, asked: Mapping[str, Json], result: Migrated) -> Json | None:
    given = vote["values"] or {}
    values = {
        name: value
        for name, value in given.items()
        if name in asked and _holds(asked[name]["settings"], value["value"], vote["status"])
    }
    lacking = [name for name, row in asked.items() if row["required"] and name not in values]
    reason = None
    if vote["status"] == "submitted" and lacking:
        reason = f"{UNFIT} ({', '.join(lacking)})"
    elif vote["status"] == "draft" and not values:
        reason = EMPTY
    if reason:
        result.left_out.setdefault(reason, []).append(vote["id"])
        return None
    for name in given.keys() - values.keys():
        result.values_left_out.setdefault(name, []).append(vote["id"])
    return vote | {"values": values}


def _holds(question: Json, value: object, status: str) -> bool:
    """Whether a question takes a value, by Argilla's own rules."""
    options = {option["value"] for option in question.get("options", ())}
    if question["type"] == "text":
        return isinstance(value, str)
    if question["type"] == "ranking" and isinstance(value, list):
        ranked = [row.get("value") for row in value if isinstance(row, dict)]
        return set(ranked) <= options and (status != "submitted" or len(ranked) == len(options))
    return isinstance(value, str | int) and value in options


def account_for(
    argilla: Argilla,
    queue: Queue,
    votes: Votes,
    carried: Mapping[str, Json],
    result: Migrated,
) -> list[Json]:
    """Write the votes that came too late to be there with their record; return the ledger's rows of all that are there.

    An answer is only ever added, as its author, where the author has none.
    """
    records, found = dict[str, str](), dict[tuple[str, str], Json]()
    for record, _ in argilla.records(queue.id, responses=True):
        records[record["external_id"]] = record["id"]
        found |= {(record["external_id"], row["user_id"]): row for row in record.get("responses") or []}
    authors = {row["id"]: row for row in argilla.items("/users")}
    rows = []
    for place, vote in votes.items():
        there = found.get(place)
        if there is None and place[0] in records:
            there = _answer(argilla, queue, authors[place[1]], records[place[0]], vote)
        row = carried.get(there["id"]) if there else None
        if place[0] not in records:
            result.left_out.setdefault(UNSHOWN, []).append(vote["id"])
        elif there and row and row["to_updated_at"] == there["updated_at"]:
            rows.append(row)
            if row["vote"]["updated_at"] != vote["vote"]["updated_at"]:
                result.left_out.setdefault(CHANGED, []).append(vote["id"])
        elif there and _same(there, vote):
            rows.append(_ledger_row(queue, there, vote))
        else:
            result.left_out.setdefault(ANEW, []).append(vote["id"])
    return rows


def _answer(argilla: Argilla, queue: Queue, author: Json, record_id: str, vote: Json) -> Json | None:
    members = {row["id"] for row in argilla.items(f"/workspaces/{queue.workspace_id}/users")}
    if author["role"] != "owner" and author["id"] not in members:
        argilla.call("POST", f"/workspaces/{queue.workspace_id}/users", body={"user_id": author["id"]})
    with Argilla(argilla.url, author["api_key"]) as connection:
        body = {"status": vote["status"], "values": vote["values"]}
        made: Json | None = connection.post_unless_there(f"/records/{record_id}/responses", body)
        return made


def _same(there: Json, vote: Json) -> bool:
    """Whether a response is the vote as it was carried over, and not its author's newer answer."""
    as_given = (there["status"], there["values"] or {}) == (vote["status"], vote["values"])
    # Of responses made together Argilla dates all updates with the first one's time: never after their own.
    made, changed = (datetime.fromisoformat(there[name]) for name in ("inserted_at", "updated_at"))
    return as_given and changed <= made


def _ledger_row(queue: Queue, there: Json, vote: Json) -> Json:
    to = {"queue": queue.name, "queue_id": queue.id, "to": there["id"], "to_updated_at": there["updated_at"]}
    return to | {"from_queue": vote["from_queue"], "vote": vote["vote"]}

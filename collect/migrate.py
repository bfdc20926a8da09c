"""The next version of a queue, with the votes of the one before.

Argilla freezes a published form, so a changed one is a new dataset. The old one stays as it is. Votes are written into
the new one together with their records, as they were given: an answer and its record appear at once or not at all, so
that a migration can be killed anywhere and run again. Argilla dates them anew and cannot say where they came from;
the run's `carried.jsonl` can, and `restore` gives them their own protocol, id and times back.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from ..errors import UserError
from ..runs import Progress, read_lines, silent, write_lines
from .argilla import Argilla, Json
from .queue import (
    Pushed,
    Queue,
    create_dataset,
    ensure_workspace,
    publish,
    push,
    shown_protocol,
    wanted_protocol,
)
from .skills import Share, Shares
from .suggestions import Suggestion
from .versions import VersionName, is_unfinished, queue_versions, version_name
from .vote import Vote

NOT_OURS = "their item is not among the recipe's"
UNSHOWN = "their item can't be shown by the new form"
ANEW = "their author has answered anew in the new version"
CHANGED = "changed in the older version after they were carried over"
UNFIT = "the new form requires an answer that they don't have"
EMPTY = "a draft of which the new form can hold nothing"


@dataclass(frozen=True, slots=True)
class Target:
    """A queue as the recipe wants it, and the datasets whose votes belong there."""

    share: Share
    queue: Queue
    sources: tuple[Json, ...]
    """Datasets, the newest first."""


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


def migrate(
    argilla: Argilla,
    shares: Shares,
    key: bytes,
    ledger: Path,
    *,
    carry_votes: bool = True,
    suggestions: Mapping[str, Suggestion] = MappingProxyType({}),
    progress: Progress = silent,
) -> list[Migrated]:
    """Make the versions of the queues that the settings ask for, push the items there, and carry votes over.

    A queue that shows what the settings say stays the version it is; later answers to an older one are carried over
    to it. Nothing in an older version is written to.

    Args:
        argilla: connected as an owner.
        shares: the recipe's queues with their items.
        key: the side key that the items were pushed with: votes name sides, and keep their meaning.
        ledger: `carried.jsonl`, which vote of an older version became which of the new.
        carry_votes: whether to; without, the new versions start empty.
        suggestions: choices that new records show, by item id.
        progress: called with items done and items in all.

    Raises:
        UserError: there is nothing to migrate from, or Argilla refuses.
    """
    targets = _targets(argilla, shares)
    known = {item.id for share in shares.rows for item in share.items}
    total, done, results = len(known), 0, list[Migrated]()
    for target in targets:
        shown = _from(progress, done, len(target.share.items), total)
        results.append(_fill(argilla, target, key, ledger, known, carry_votes, suggestions, shown))
        done += len(target.share.items)
        progress(done, total)
    for target, result in zip(targets, results, strict=True):
        result.queue = _finish(argilla, target).name
    return results


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


def _targets(argilla: Argilla, shares: Shares) -> list[Target]:
    """Find or make each queue's version. All are made before any is filled, so that none is taken for a source."""
    if not _family(argilla, shares):
        raise UserError("there is no queue in Argilla to migrate from; push first")
    made = []
    for share in shares.used:
        workspace = ensure_workspace(argilla, share.settings.workspace)
        versions = queue_versions(argilla, share.settings.queue, workspace)
        row = next(iter(versions.values()), None)
        if row is None or shown_protocol(row) != wanted_protocol(share.settings):
            name = VersionName(share.settings.queue, max(versions, default=0) + 1, finished=False)
            row = create_dataset(argilla, share.settings, workspace, name, row["name"] if row else None)
        made.append((share, row))
    family = _family(argilla, shares)
    wanted_ids = {row["id"] for _, row in made}
    return [
        Target(share, publish(argilla, share.settings, row), tuple(_sources(row, family, wanted_ids)))
        for share, row in made
    ]


def _family(argilla: Argilla, shares: Shares) -> dict[str, Json]:
    """Return all versions of all queues that this recipe has, or had: skills come and go."""
    base = shares.rows[0].settings.queue
    names = {share.settings.workspace for share in shares.rows}
    workspaces = [row["id"] for row in argilla.items("/me/workspaces") if row["name"] in names]
    rows = [row for workspace in workspaces for row in argilla.items(f"/me/datasets?workspace_id={workspace}")]
    ours = [row for row in rows if row["name"] == base or row["name"].startswith(f"{base}.")]
    return {row["id"]: row for row in ours if row["status"] == "ready"}


def _sources(target: Json, family: Mapping[str, Json], targets: Collection[str]) -> Iterator[Json]:
    """Yield where votes for the target may lie: of each queue the last finished version, and what came after it."""
    stems: dict[tuple[str, str], list[Json]] = {}
    for row in sorted(family.values(), key=_version, reverse=True):
        stems.setdefault(_stem(row), []).append(row)
    for stem, rows in sorted(stems.items(), key=lambda pair: pair[0] != _stem(target)):
        for row in rows:
            if stem == _stem(target) and _version(row) >= _version(target):
                continue
            yield row
            if row["id"] not in targets and not is_unfinished(row):
                break


def _stem(row: Json) -> tuple[str, str]:
    return row["workspace_id"], version_name(row["name"]).queue


def _version(row: Json) -> int:
    return version_name(row["name"]).version


def _fill(
    argilla: Argilla,
    target: Target,
    key: bytes,
    ledger: Path,
    known: Collection[str],
    carry_votes: bool,
    suggestions: Mapping[str, Suggestion],
    progress: Progress,
) -> Migrated:
    result = Migrated(target.queue.name, target.queue.version, Pushed(0, 0, ()))
    carried = {row["to"]: row for row in read_lines(ledger)}
    votes: dict[tuple[str, str], Json] = {}
    if carry_votes:
        votes = _fitting(argilla, target, known, carried, result)
    answers: dict[str, list[Json]] = {}
    for (item_id, user), vote in votes.items():
        answers.setdefault(item_id, []).append({"user_id": user, "status": vote["status"], "values": vote["values"]})
    result.pushed = push(
        argilla, target.queue, target.share.items, key, answers=answers, suggestions=suggestions, progress=progress
    )
    if votes:
        rows = _account(argilla, target.queue, votes, carried, result)
        result.carried = len(rows)
        others = [row for row in carried.values() if row["queue_id"] != target.queue.id]
        write_lines(ledger, [*others, *rows])
    return result


def _fitting(
    argilla: Argilla, target: Target, known: Collection[str], carried: Mapping[str, Json], result: Migrated
) -> dict[tuple[str, str], Json]:
    """Return the sources' votes by item and user, cut to what the new form holds; count what it does not."""
    asked = {row["name"]: row for row in argilla.items(f"/datasets/{target.queue.id}/questions")}
    wanted, seen, fitting = {item.id for item in target.share.items}, set[tuple[str, str]](), {}
    for source in target.sources:
        own = version_name(source["name"]).queue == version_name(target.queue.name).queue
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


def _account(
    argilla: Argilla,
    queue: Queue,
    votes: Mapping[tuple[str, str], Json],
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


def _finish(argilla: Argilla, target: Target) -> Queue:
    """Give a new version its final name, and have Argilla ask for as many votes as the recipe."""
    dataset = argilla.call("GET", f"/datasets/{target.queue.id}")
    body: Json = {}
    if is_unfinished(dataset):
        body["name"] = replace(version_name(dataset["name"]), finished=True).dataset
    wanted = {"strategy": "overlap", "min_submitted": target.share.settings.min_votes}
    if dataset["distribution"] != wanted:
        body["distribution"] = wanted
    if body:
        dataset = argilla.call("PATCH", f"/datasets/{target.queue.id}", body=body)
    return replace(target.queue, name=dataset["name"])


def _from(progress: Progress, start: int, size: int, everything: int) -> Progress:
    def show(done: int, total: int) -> None:
        progress(start + size * done // max(total, 1), everything)

    return show

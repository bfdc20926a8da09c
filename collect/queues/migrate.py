"""The next version of a queue, with the votes of the one before.

Argilla freezes a published form, so a changed one is a new dataset. The old one stays as it is. Votes are written into
the new one together with their records: an answer and its record appear at once or not at all, so that a migration can
be killed anywhere and run again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ...errors import UserError
from ...runs import Progress, read_lines, silent, write_lines
from ..sampling.suggestions import Suggestion
from .argilla import Argilla, Json
from .carrying import Migrated, Votes, account_for, fitting_votes
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
from .versions import VersionName, is_unfinished, queue_versions, version_name


@dataclass(frozen=True, slots=True)
class Target:
    """A queue as the recipe wants it, and the datasets whose votes belong there."""

    share: Share
    queue: Queue
    sources: tuple[Json, ...]
    """Datasets, the newest first."""


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
    votes: Votes = {}
    if carry_votes:
        wanted = {item.id for item in target.share.items}
        votes = fitting_votes(argilla, target.queue, target.sources, wanted, known, carried, result)
    answers: dict[str, list[Json]] = {}
    for (item_id, user), vote in votes.items():
        answers.setdefault(item_id, []).append({"user_id": user, "status": vote["status"], "values": vote["values"]})
    result.pushed = push(
        argilla, target.queue, target.share.items, key, answers=answers, suggestions=suggestions, progress=progress
    )
    if votes:
        rows = account_for(argilla, target.queue, votes, carried, result)
        result.carried = len(rows)
        others = [row for row in carried.values() if row["queue_id"] != target.queue.id]
        write_lines(ledger, [*others, *rows])
    return result


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

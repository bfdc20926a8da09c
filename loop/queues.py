"""A run's queues together: one of them for most recipes, one more for each skill."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..collect import (
    Annotator,
    Argilla,
    Item,
    Migrated,
    Person,
    Pulled,
    Pushed,
    Queue,
    QueueStatus,
    Share,
    Shares,
    Vote,
    check_names,
    check_places,
    ensure_workspace,
    find_queue,
    invite,
    migrate,
    open_queue,
    pull,
    push,
    queue_status,
    read_guidelines,
    read_items,
    read_people,
    replay,
    restore,
    send_plan,
    share_out,
    with_seconds,
)
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, silent, timed, write_json
from .folder import collected_file, read_run_items, side_key
from .suggesting import mark_seen, suggestions_to_show


@dataclass(frozen=True, slots=True)
class Opened:
    """A queue in Argilla and its part of the items."""

    share: Share
    queue: Queue


def check_push(recipe: Recipe) -> Shares:
    """Read all files that a push reads, so that what is wrong in them is said before a server is asked for anything.

    Returns:
        The queues with their items.

    Raises:
        UserError: a file can't be read, or guidelines are too long for Argilla.
        Problems: everything that is wrong with the items, or with what the recipe says of them.
    """
    items = read_items(recipe.collect.items)
    check_places(recipe.collect.queueing, items)
    shares = share_out(recipe.collect, items)
    for share in shares.used:
        read_guidelines(share.settings)
    return shares


def run_shares(run: Run, recipe: Recipe) -> Shares:
    """Return the queues with the items that were pushed."""
    return share_out(recipe.collect, read_run_items(run))


def push_queues(
    run: Run, argilla: Argilla, recipe: Recipe, items: Sequence[Item], progress: Progress = silent
) -> tuple[Pushed, list[Opened]]:
    """Push every queue's items; no queue gets any before all of them have proved to be open to them."""
    shares = share_out(recipe.collect, items).used
    opened = [Opened(share, open_queue(argilla, share.settings)) for share in shares]
    pushed, done, key = list[Pushed](), 0, side_key(run)
    suggestions = suggestions_to_show(run, recipe, items)
    for one in opened:
        part = _part(progress, done, len(one.share.items), len(items))
        pushed.append(push(argilla, one.queue, one.share.items, key, suggestions=suggestions, progress=part))
        done += len(one.share.items)
    refused = tuple(row for part in pushed for row in part.refused)
    return Pushed(sum(part.added for part in pushed), sum(part.already_there for part in pushed), refused), opened


def plan_queues(argilla: Argilla, opened: Sequence[Opened]) -> tuple[str, ...]:
    """Have the server work every queue off as the recipe asks; return what it can't, and what is still to be done."""
    notes = dict[str, None]()
    for one in opened:
        settings = one.share.settings
        planned = send_plan(argilla, one.queue.id, settings.queueing, one.share.items, min_votes=settings.min_votes)
        if planned.missing:
            notes[planned.missing] = None
        if planned.without_account:
            names = ", ".join(planned.without_account)
            notes[f"items are assigned to people who have no account yet: {names} (`prefloop collect invite`)"] = None
    return tuple(notes)


def find_queues(argilla: Argilla, shares: Shares) -> list[Opened]:
    """Return the queues that have items, as a push has made them. Raises UserError where one is missing."""
    return [Opened(share, find_queue(argilla, share.settings)) for share in shares.used]


def replay_queues(
    argilla: Argilla, shares: Shares, votes: Sequence[Vote], key: bytes, progress: Progress = silent
) -> int:
    """Answer recorded votes, each in its item's queue; return how many.

    Raises:
        UserError: a vote's item is in no queue, or Argilla refused a vote.
    """
    place = {item.id: share.skill for share in shares.used for item in share.items}
    opened, main = find_queues(argilla, shares), shares.used[0].skill
    done = 0
    for one in opened:
        mine = [vote for vote in votes if place.get(vote.item_id, main) == one.share.skill]
        done += replay(argilla, one.queue, mine, key, progress=_part(progress, done, len(mine), len(votes)))
    return done


def pull_queues(
    run: Run, argilla: Argilla, shares: Shares, progress: Progress = silent, *, full: bool = False
) -> tuple[Pulled, list[Opened]]:
    """Read every queue's votes; only what changed where the server can tell, unless `full`.

    Votes that were carried over have the protocol and the times they were given with.
    """
    opened, key = find_queues(argilla, shares), side_key(run)
    known = {item.id for share in shares.rows for item in share.items}
    parts, done = list[Pulled](), 0
    for one in opened:
        mine = [item.id for item in one.share.items]
        mirror = collected_file(run, f"mirror-{one.queue.id}.jsonl")
        part = _part(progress, done, len(mine), len(known))
        parts.append(pull(argilla, one.queue, key, mine, mirror=mirror, full=full, progress=part))
        done += len(mine)
    votes = restore([vote for part in parts for vote in part.votes], collected_file(run, "carried.jsonl"))
    # Records of an item that went to another queue stay in the one where it was first; its votes were carried over.
    foreign = [record for part in parts for record in part.foreign]
    moved = sum(record in known for record in foreign)
    pulled = Pulled(
        votes=mark_seen(run, with_seconds(votes)),
        items=sum(part.items for part in parts) - moved,
        unanswered=sum(part.unanswered for part in parts),
        foreign=tuple(record for record in foreign if record not in known),
        responses_read=sum(part.responses_read for part in parts),
        incremental=max((part.incremental for part in parts), key=bool),
    )
    return pulled, opened


def queues_summary(shares: Shares, opened: Sequence[Opened], pulled: Pulled) -> dict[str, object]:
    """Return how many items each queue has, what fell to two of them, and under which protocols votes were given."""
    rows = [
        {"queue": one.queue.name, "workspace": one.queue.workspace, "skill": one.share.skill}
        | {"version": one.queue.version, "protocol": one.queue.protocol, "items": len(one.share.items)}
        for one in opened
    ]
    protocols = dict(Counter(vote.protocol for vote in pulled.votes))
    return {"queues": rows, "items_of_several_skills": list(shares.several), "votes_by_protocol": protocols}


def queues_status(argilla: Argilla, recipe: Recipe) -> list[tuple[Queue, QueueStatus]]:
    """Ask how far the annotators of each queue are. Raises UserError where there is no queue yet."""
    found, missing = list[Queue](), list[UserError]()
    for share in share_out(recipe.collect).rows:
        try:
            found.append(find_queue(argilla, share.settings))
        except UserError as error:
            missing.append(error)
    if not found:
        raise missing[0]
    return [(queue, queue_status(argilla, queue)) for queue in found]


def find_people(recipe: Recipe, names: Sequence[str], file: Path | None) -> list[Person]:
    """Return who is to be invited: the people named, those in a file, or else those that the recipe's skills name.

    Raises:
        UserError: there are none, or the file can't be read.
        Problems: everything that is wrong with the names or in the file.
    """
    if names and file:
        raise UserError("name people or give a file of them (--from), not both")
    if file:
        return read_people(file, tuple(recipe.collect.skills))
    skills: dict[str, list[str]] = {name: [] for name in names}
    for skill, its in recipe.collect.skills.items() if not names else ():
        for name in its.annotators:
            skills.setdefault(name, []).append(skill)
    if not skills:
        raise UserError("nobody to invite: name people, or a CSV file of them (--from people.csv)")
    check_names(list(skills))
    return [Person(name, skills=tuple(its)) for name, its in skills.items()]


def invite_people(
    argilla: Argilla, recipe: Recipe, people: Sequence[Person], *, reset_password: bool = False
) -> Iterator[Annotator]:
    """Make accounts and let them into their queues' workspaces, one after the other."""
    wanted = {skill for person in people for skill in person.skills or (None,)}
    shares = [share for share in share_out(recipe.collect).rows if share.skill in wanted]
    workspaces = {share.skill: ensure_workspace(argilla, share.settings.workspace) for share in shares}
    yield from invite(argilla, people, workspaces, reset_password=reset_password)


def migrate_queues(
    run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent, *, carry_votes: bool = True
) -> tuple[list[Migrated], tuple[str, ...]]:
    """Make the versions of the queues that the recipe asks for, and carry the votes over.

    Returns:
        What became of each queue, and what its server can't do of what the recipe wants.
    """
    with timed(run, "push") as summary:
        shares = run_shares(run, recipe)
        ledger = collected_file(run, "carried.jsonl")
        migrated = migrate(
            argilla,
            shares,
            side_key(run),
            ledger,
            carry_votes=carry_votes,
            suggestions=suggestions_to_show(run, recipe, read_run_items(run)),
            progress=progress,
        )
        notes = plan_queues(argilla, find_queues(argilla, shares))
        write_json(collected_file(run, "migrate.json"), [asdict(row) for row in migrated])
        summary.append("; ".join(f"{row.queue}: {row.carried} votes carried over" for row in migrated))
    return migrated, notes


def _part(progress: Progress, before: int, size: int, everything: int) -> Progress:
    """Return a progress that counts one queue's work, in whatever unit, as `size` of everything."""

    def show(done: int, total: int) -> None:
        progress(before + size * done // max(total, 1), everything)

    return show

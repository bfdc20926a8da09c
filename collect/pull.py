"""Votes out of Argilla: exactly what annotators answered, with statuses and times."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..errors import UserError
from ..runs import Progress, silent
from .argilla import Argilla, Json
from .questions import read_answer
from .queue import Queue
from .sides import left_of, shown_order
from .vote import Status, Vote

BREAK = 600.0
"""Seconds after which a gap between two answers counts as a break, not as work."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """Every response in the queue, and what of the queue was not ours."""

    votes: tuple[Vote, ...]
    """In the order of item id and annotator: the same answers always give the same file."""
    items: int
    """Records read."""
    unanswered: int
    """Records without any response."""
    foreign: tuple[str, ...]
    """Ids of records that prefloop did not push; they are left out."""

    @property
    def statuses(self) -> dict[Status, int]:
        """How many votes have which status."""
        return dict(Counter(vote.status for vote in self.votes))


def pull(argilla: Argilla, queue: Queue, key: bytes, known: Sequence[str], *, progress: Progress = silent) -> Pulled:
    """Read all responses of the queue through the raw REST API.

    Args:
        argilla: connected as an owner (annotators can't list others' responses).
        queue: where to read.
        key: the side key that the items were pushed with.
        known: the ids of the items that were pushed.
        progress: called with records read and records in all.
    """
    names = {row["id"]: row["username"] for row in argilla.items("/users")}
    ids, votes, foreign, unanswered, read = set(known), list[Vote](), list[str](), 0, 0
    for row, total in argilla.records(queue.id, responses=True):
        read += 1
        progress(read, total)
        if row["external_id"] not in ids:
            foreign.append(row["external_id"] or row["id"])
            continue
        responses = row.get("responses") or []
        unanswered += not responses
        votes += [_vote(response, row["external_id"], queue, key, names) for response in responses]
    return Pulled(tuple(with_seconds(votes)), read, unanswered, tuple(foreign))


def _vote(response: Json, item_id: str, queue: Queue, key: bytes, names: dict[str, str]) -> Vote:
    order = shown_order(key, item_id, queue.form.candidates)
    try:
        answered = read_answer(response["values"] or {}, order)
    except ValueError as error:
        raise UserError(
            f"response {response['id']} has an answer that this form does not offer: {response['values']}"
        ) from error
    if response["status"] == "discarded" and answered["choice"] is None:
        answered["choice"] = "skip"
    return Vote(
        item_id=item_id,
        annotator=names.get(response["user_id"]) or str(response["user_id"]),
        left=left_of(order),
        status=response["status"],
        protocol=queue.protocol,
        id=response["id"],
        inserted_at=response["inserted_at"],
        updated_at=response["updated_at"],
        **answered,
    )


def with_seconds(votes: Sequence[Vote]) -> list[Vote]:
    """Fill in the seconds between an annotator's consecutive answers, breaks left out; order by item and annotator."""
    timed, previous = [], dict[str, datetime]()
    for vote in sorted(votes, key=lambda vote: (vote.inserted_at, vote.id)):
        now = datetime.fromisoformat(vote.inserted_at)
        gap = (now - previous[vote.annotator]).total_seconds() if vote.annotator in previous else None
        previous[vote.annotator] = now
        timed.append(replace(vote, seconds=gap if gap is not None and gap <= BREAK else None))
    return sorted(timed, key=lambda vote: (vote.item_id, vote.annotator))

"""Votes out of Argilla: exactly what annotators answered, with statuses and times."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ...errors import UserError
from ...runs import Progress, silent
from ..sides import left_of, shown_order
from ..vote import Status, Vote
from .argilla import Argilla
from .mirror import Response, read_mirror
from .questions import read_answer
from .queue import Queue

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
    responses_read: int = 0
    """Responses that the server sent; all of them unless `incremental`."""
    incremental: bool | None = False
    """Whether only what had changed since the last pull was read; None where the server can't tell what changed."""

    @property
    def statuses(self) -> dict[Status, int]:
        """How many votes have which status."""
        return dict(Counter(vote.status for vote in self.votes))


def pull(
    argilla: Argilla,
    queue: Queue,
    key: bytes,
    known: Sequence[str],
    *,
    mirror: Path | None = None,
    full: bool = False,
    progress: Progress = silent,
) -> Pulled:
    """Read the responses of the queue through the raw REST API: all, or on the embedded server only what changed.

    What comes out is the same either way, to the byte.

    Args:
        argilla: connected as an owner (annotators can't list others' responses).
        queue: where to read.
        key: the side key that the items were pushed with.
        known: the ids of the items that were pushed.
        mirror: the file that keeps what was read for the next pull; None keeps nothing.
        full: read everything, whatever `mirror` has.
        progress: called with rows read and rows in all.

    Raises:
        UserError: the server can't be reached or refuses, or holds an answer that the form does not offer.
    """
    names = {row["id"]: row["username"] for row in argilla.items("/users")}
    reading = read_mirror(argilla, queue.id, mirror, full=full, progress=progress)
    ids, records = set(known), reading.mirror.records
    ours = {record.id: record.external_id for record in records.values() if record.external_id in ids}
    answers = [response for response in reading.mirror.responses.values() if response.record_id in ours]
    votes = [_vote(response, str(ours[response.record_id]), queue, key, names) for response in answers]
    return Pulled(
        votes=tuple(with_seconds(votes)),
        items=len(records),
        unanswered=len(ours.keys() - {response.record_id for response in answers}),
        foreign=tuple(sorted(record.external_id or record.id for record in records.values() if record.id not in ours)),
        responses_read=reading.responses_read,
        incremental=reading.incremental,
    )


def _vote(response: Response, item_id: str, queue: Queue, key: bytes, names: dict[str, str]) -> Vote:
    order = shown_order(key, item_id, queue.form.candidates)
    try:
        answered = read_answer(response.values or {}, order)
    except ValueError as error:
        raise UserError(
            f"response {response.id} has an answer that this form does not offer: {response.values}"
        ) from error
    if response.status == "discarded" and answered["choice"] is None:
        answered["choice"] = "skip"
    return Vote(
        item_id=item_id,
        annotator=names.get(response.user_id) or str(response.user_id),
        left=left_of(order),
        status=response.status,
        protocol=queue.protocol,
        id=response.id,
        inserted_at=response.inserted_at,
        updated_at=response.updated_at,
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

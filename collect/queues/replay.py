"""Recorded votes, answered once more through Argilla's HTTP API by the annotators' own accounts."""

from collections.abc import Sequence
from dataclasses import replace

from ...errors import UserError
from ...runs import Progress, silent
from ..sides import left_of, shown_order
from ..vote import Vote
from .annotators import ensure_annotators
from .argilla import BULK_RESPONSES, Argilla, Json, batches
from .questions import answer
from .queue import Queue
from .records import record_ids


def replay(argilla: Argilla, queue: Queue, votes: Sequence[Vote], key: bytes, *, progress: Progress = silent) -> int:
    """Submit recorded votes as their annotators, in Argilla's own status words; return how many.

    A vote that is there already is written again with the same values, so a replay can be interrupted and repeated.

    Raises:
        UserError: a vote is about an item that the queue does not have, or Argilla refused one.
    """
    records = record_ids(argilla, queue.id)
    missing = sorted({vote.item_id for vote in votes} - records.keys())
    if missing:
        raise UserError(
            f"{len(missing)} recorded votes' items are not in the queue (first: {missing[0]}); push them first"
        )
    _refuse_other_rankings(votes, queue.form.candidates)
    done = 0
    for annotator in ensure_annotators(argilla, queue, {vote.annotator for vote in votes}):
        mine = [vote for vote in votes if vote.annotator == annotator.username]
        with Argilla(argilla.url, annotator.api_key) as connection:
            for batch in batches(
                [
                    _response(vote, records[vote.item_id], shown_order(key, vote.item_id, queue.form.candidates))
                    for vote in mine
                ],
                BULK_RESPONSES // 4,
            ):
                _submit(connection, batch)
                done += len(batch)
                progress(done, len(votes))
    return done


def _refuse_other_rankings(votes: Sequence[Vote], candidates: int) -> None:
    other = [vote for vote in votes if vote.ranking is not None and len(vote.ranking) != candidates]
    if other:
        raise UserError(
            f"{len(other)} recorded votes rank another number of answers than the queue's {candidates} "
            f"(first: {len(other[0].ranking or ())} on {other[0].item_id})"
        )


def _response(vote: Vote, record_id: str, order: str) -> Json:
    # A recorded vote names the candidate; what the annotator sees and clicks is the place it is shown at here.
    values = answer(replace(vote, left=left_of(order), order=order))
    return {"record_id": record_id, "status": vote.status} | ({"values": values} if values else {})


def _submit(connection: Argilla, responses: Sequence[Json]) -> None:
    answers = connection.call("POST", "/me/responses/bulk", body={"items": list(responses)})["items"]
    refused = [row["error"]["detail"] for row in answers if row.get("error")]
    if refused:
        raise UserError(f"Argilla refused {len(refused)} of {len(responses)} answers; the first: {refused[0]}")

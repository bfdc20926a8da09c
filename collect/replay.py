"""Recorded votes, answered once more through Argilla's HTTP API by the annotators' own accounts."""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import UserError
from ..runs import Progress, silent
from .annotators import ensure_annotators
from .argilla import BULK_RESPONSES, Argilla, Json, batches
from .questions import answer
from .queue import Queue
from .sides import left_side
from .vote import Vote


def replay(argilla: Argilla, queue: Queue, votes: Sequence[Vote], key: bytes, *, progress: Progress = silent) -> int:
    """Submit recorded votes as their annotators, in Argilla's own status words; return how many.

    A vote that is there already is written again with the same values, so a replay can be interrupted and repeated.

    Raises:
        UserError: a vote is about an item that the queue does not have, or Argilla refused one.
    """
    records = {row["external_id"]: row["id"] for row, _ in argilla.records(queue.id, responses=False)}
    missing = sorted({vote.item_id for vote in votes} - records.keys())
    if missing:
        raise UserError(
            f"{len(missing)} recorded votes' items are not in the queue (first: {missing[0]}); push them first"
        )
    done = 0
    for annotator in ensure_annotators(argilla, queue, {vote.annotator for vote in votes}):
        mine = [vote for vote in votes if vote.annotator == annotator.username]
        with Argilla(argilla.url, annotator.api_key) as connection:
            for batch in batches([_response(vote, records, key) for vote in mine], BULK_RESPONSES // 4):
                _submit(connection, batch)
                done += len(batch)
                progress(done, len(votes))
    return done


def _response(vote: Vote, records: dict[str, str], key: bytes) -> Json:
    # A recorded vote names the candidate; what the annotator sees and clicks is the side it is shown on here.
    values = answer(replace(vote, left=left_side(key, vote.item_id)))
    return {"record_id": records[vote.item_id], "status": vote.status} | ({"values": values} if values else {})


def _submit(connection: Argilla, responses: Sequence[Json]) -> None:
    answers = connection.call("POST", "/me/responses/bulk", body={"items": list(responses)})["items"]
    refused = [row["error"]["detail"] for row in answers if row.get("error")]
    if refused:
        raise UserError(f"Argilla refused {len(refused)} of {len(responses)} answers; the first: {refused[0]}")

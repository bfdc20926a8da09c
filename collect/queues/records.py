"""A queue's records: which there are, and new ones into it, by the server's fast routes where it has them."""

import hashlib
import json
from collections.abc import Sequence

from ...runs import Progress, silent
from .argilla import BULK_RECORDS, Argilla, Json, batches
from .private import features

STOCK_BATCH = 100
"""Records a request where the server takes seconds for hundreds: a kill loses less, and the bar moves."""


def record_ids(argilla: Argilla, dataset_id: str) -> dict[str, str]:
    """Return Argilla's record id of each external id; records without one are left out.

    Raises:
        UserError: the server can't be reached, or refuses.
    """
    if "changes" in features(argilla):
        rows = argilla.lines(f"/prefloop/datasets/{dataset_id}/records")
        return {external_id: record_id for record_id, external_id, _ in rows if external_id is not None}
    found = argilla.records(dataset_id, responses=False)
    return {row["external_id"]: row["id"] for row, _ in found if row["external_id"] is not None}


def record_digests(argilla: Argilla, dataset_id: str) -> dict[str, str]:
    """Return the digest of the fields that each external id's record shows; records without one are left out.

    Raises:
        UserError: the server can't be reached, or refuses.
    """
    if "changes" in features(argilla):
        rows = argilla.lines(f"/prefloop/datasets/{dataset_id}/records/digests")
        return {external_id: shown for external_id, shown in rows if external_id is not None}
    found = argilla.records(dataset_id, responses=False)
    return {row["external_id"]: digest(row["fields"]) for row, _ in found if row["external_id"] is not None}


def digest(fields: Json) -> str:
    """Return SHA-256 of a record's fields as JSON with sorted keys and without spaces, as the server's route does."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def add_records(argilla: Argilla, dataset_id: str, rows: Sequence[Json], *, progress: Progress = silent) -> None:
    """Add records, in the words of Argilla's bulk route, whose external ids the dataset does not have yet.

    Raises:
        UserError: the server refuses one; those of earlier requests stay.
    """
    # The fast route takes no responses.
    fast = "bulk" in features(argilla) and not any(row.get("responses") for row in rows)
    path = f"/prefloop/datasets/{dataset_id}/records" if fast else f"/datasets/{dataset_id}/records/bulk"
    done = 0
    for batch in batches(rows, BULK_RECORDS if fast else STOCK_BATCH):
        argilla.call("POST", path, body={"items": list(batch)})
        done += len(batch)
        progress(done, len(rows))

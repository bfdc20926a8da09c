"""Vector similarity by brute force: exact, and fast enough for the records people label."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID


async def nearest(
    rows: Sequence[tuple[UUID, str]], wanted: Sequence[float], *, least: bool, limit: int
) -> list[tuple[UUID, float]]:
    """Return the `limit` nearest of (id, vector as JSON) with Elasticsearch's cosine score, (1 + cos) / 2, best first.

    With `least` the farthest come first, scored as nearness to the opposite vector.
    """
    # Parsing and multiplying take a second for ten thousand vectors: not on the event loop.
    return await asyncio.to_thread(_nearest, rows, wanted, least, limit)


def _nearest(
    rows: Sequence[tuple[UUID, str]], wanted: Sequence[float], least: bool, limit: int
) -> list[tuple[UUID, float]]:
    import numpy as np

    if not rows:
        return []
    vectors = np.array([json.loads(vector) for _, vector in rows], dtype=np.float64)
    aim = np.array(wanted, dtype=np.float64) * (-1 if least else 1)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(aim)
    cosines = vectors @ aim / np.where(lengths == 0, 1, lengths)
    best = np.argsort(-cosines, kind="stable")[:limit]
    return [(rows[index][0], float((1 + cosines[index]) / 2)) for index in best]

"""Reference log-probabilities on disk, by model and row, for every training on this machine to share.

One SQLite file under prefloop's home. It can be deleted at any time: what is missing is computed again.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from ...home import home

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds to wait for another process that is writing."""
AT_ONCE = 500
"""Rows asked for in one query; SQLite takes no more than 999 parameters everywhere."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS models (model TEXT PRIMARY KEY, made_with TEXT)",
    "CREATE TABLE IF NOT EXISTS rows (model TEXT, row TEXT, chosen REAL NOT NULL, rejected REAL NOT NULL, "
    "PRIMARY KEY (model, row)) WITHOUT ROWID",
)

LogProbs = tuple[float, float]
"""Summed log-probabilities of chosen and rejected, in natural-log units."""


class ReferenceStore:
    """The rows of one reference model. A file that can't be used is a warning and an empty store, never a failure."""

    def __init__(self, model: str, made_with: Mapping[str, Any], *, path: Path | None = None) -> None:
        self._model, self._made_with = model, json.dumps(made_with, sort_keys=True)
        self._path = path or home() / "reference.sqlite"
        self._usable = True

    def read(self, rows: Sequence[str]) -> dict[str, LogProbs]:
        """Return what is known of these rows."""

        def look_up(database: sqlite3.Connection) -> dict[str, LogProbs]:
            found: dict[str, LogProbs] = {}
            for start in range(0, len(rows), AT_ONCE):
                part = rows[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT row, chosen, rejected FROM rows WHERE model = ? AND row IN ({marks})"
                found |= {
                    row: (chosen, rejected) for row, chosen, rejected in database.execute(query, (self._model, *part))
                }
            return found

        return self._ask(look_up) or {}

    def write(self, rows: Iterable[tuple[str, LogProbs]]) -> None:
        """Keep rows; those that are there already stay as they are."""

        def insert(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR IGNORE INTO models VALUES (?, ?)", (self._model, self._made_with))
            values = [(self._model, row, *log_probs) for row, log_probs in rows]
            database.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?)", values)

        self._ask(insert)

    def forget(self) -> None:
        """Throw away everything about this model."""

        def delete(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM rows WHERE model = ?", (self._model,))
            database.execute("DELETE FROM models WHERE model = ?", (self._model,))

        self._ask(delete)

    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do something in one transaction; None, once with a warning, where the file can't be used."""
        if not self._usable:
            return None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database, database:
                for statement in TABLES:
                    database.execute(statement)
                return work(database)
        except (sqlite3.Error, OSError) as error:
            self._usable = False
            log.warning(
                "%s can't be used (%s), so reference log-probabilities are computed anew; delete it if it is broken",
                self._path,
                error,
            )
            return None

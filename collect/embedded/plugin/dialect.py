"""Which database this is: the one place that knows, and what every database must be able to do."""

from datetime import datetime
from typing import Any, Protocol

from argilla_server.settings import settings
from sqlalchemy import ColumnElement, Subquery, TableValuedAlias
from sqlalchemy.ext.asyncio import AsyncConnection

from . import postgres, sqlite


class Dialect(Protocol):
    """The functions that `sqlite.py` and `postgres.py` have in common."""

    def on_connect(self, connection: Any, _record: Any) -> None:
        """Prepare a new connection."""

    async def prepare(self, connection: AsyncConnection) -> None:
        """Create the full-text index, or make it anew where its definition has changed."""

    def matching(self, query: str, name: str | None) -> Subquery:
        """Return (record_id, score) of the records whose field `name`, or any field, matches."""

    def json_values(self, document: ColumnElement[Any], *path: str) -> TableValuedAlias:
        """Return the values at `path` as rows of one column `value`: a list's, the one scalar, none if missing."""

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        """Return such a value as text, compared byte by byte."""

    def number(self, value: ColumnElement[Any]) -> ColumnElement[float]:
        """Return such a value if it is a number, else NULL."""

    def microseconds(self, time: ColumnElement[datetime]) -> ColumnElement[int]:
        """Return a time as microseconds since 1970."""


dialect: Dialect = postgres if settings.database_is_postgresql else sqlite

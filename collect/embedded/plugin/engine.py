"""A search engine that asks Argilla's own database: no second index that could drift from it.

Semantics follow argilla_server/search_engine/commons.py (Elasticsearch). Three differences, all on purpose: an
annotator's text search is ordered by relevance (stock multiplies it by a random number); a user's progress counts that
user's responses only; a record is searchable the moment it is committed.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from argilla_server.enums import SimilarityOrder
from argilla_server.models import Dataset, MetadataProperty, Record, Response, Suggestion, User, Vector, VectorSettings
from argilla_server.search_engine import (
    Filter,
    MetadataMetrics,
    Order,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
    TextQuery,
)
from argilla_server.search_engine.base import FloatMetadataMetrics, IntegerMetadataMetrics
from sqlalchemy import ColumnElement, Select, String, cast, func, select, true

from . import leases, queueing, vectors
from .conditions import condition
from .database import search_engine, search_sessions
from .dialect import dialect
from .ordering import ordering

MAX_TERMS = 2**14


class SqlSearchEngine(SearchEngine):
    """Argilla's search interface over its own tables; the methods that write have nothing to do."""

    @classmethod
    async def new_instance(cls) -> "SqlSearchEngine":
        """Return an engine; connections belong to the process, not to it."""
        return cls()

    async def close(self) -> None:
        """Nothing to close."""

    async def ping(self) -> bool:
        """Tell whether the database answers."""
        async with search_sessions() as session:
            return bool(await session.scalar(select(true())))

    async def info(self) -> dict[str, Any]:
        """Return what /status shows."""
        return {"name": "prefloop sql", "database": search_engine.dialect.name}

    async def create_index(self, dataset: Dataset) -> None:
        """The tables are the index."""

    async def delete_index(self, dataset: Dataset) -> None:
        """The tables are the index."""

    async def configure_metadata_property(self, dataset: Dataset, metadata_property: MetadataProperty) -> None:
        """The tables are the index."""

    async def configure_index_vectors(self, vector_settings: VectorSettings) -> None:
        """The tables are the index."""

    async def index_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """The tables are the index."""

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """The tables are the index."""

    async def delete_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """The tables are the index."""

    async def update_record_response(self, response: Response) -> None:
        """The tables are the index; but whoever answers keeps what is on the page."""
        await leases.answered(response)

    async def delete_record_response(self, response: Response) -> None:
        """The tables are the index."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """The tables are the index."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """The tables are the index."""

    async def get_dataset_progress(self, dataset: Dataset) -> dict[str, int]:
        """Return how many records there are and how many of each status."""
        if dataset.is_draft:
            return {}
        return await _counts(
            select(Record.status, func.count()).where(Record.dataset_id == dataset.id).group_by(Record.status)
        )

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict[str, int]:
        """Return how many responses the user gave and how many of each status."""
        if dataset.is_draft:
            return {}
        return await _counts(
            select(Response.status, func.count())
            .join(Record, Record.id == Response.record_id)
            .where(Record.dataset_id == dataset.id, Response.user_id == user.id)
            .group_by(Response.status)
        )

    async def search(
        self,
        dataset: Dataset,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        sort: list[Order] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: UUID | None = None,
    ) -> SearchResponses:
        """Return one page of the matching records and how many there are in all."""
        asked = queueing.asked(filter)
        found, score = _found(dataset, query, asked.rest if asked else filter)
        if asked and score is None and not sort:
            page = await queueing.page(dataset, asked.user, found, offset, limit)
            return SearchResponses(items=[_item(record_id) for record_id in page.records], total=page.total)
        if asked:
            found = await queueing.narrowed(dataset, asked.user, found)
        rows_found = found.order_by(*ordering(sort, score, user_id)).offset(offset).limit(limit)
        columns = [Record.id] if score is None else [Record.id, score]
        async with search_sessions() as session:
            total = await session.scalar(select(func.count()).select_from(found.subquery()))
            rows = (await session.execute(rows_found.with_only_columns(*columns))).all()
        items = [_item(*row) for row in rows]
        return SearchResponses(items=await _granted(dataset, asked, items, total or 0), total=total)

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        max_results: int = 100,
        order: SimilarityOrder = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> SearchResponses:
        """Return the records whose vectors are nearest to a vector or a record, that record left out."""
        wanted = value or (record and record.vector_value_by_vector_settings(vector_settings))
        if bool(value) == bool(record) or not wanted:
            raise ValueError("similarity needs either a vector or a record that has one")
        asked = queueing.asked(filter)
        found, _ = _found(dataset, query, asked.rest if asked else filter)
        if asked:
            found = await queueing.narrowed(dataset, asked.user, found)
        found = found.join(Vector, Vector.record_id == Record.id).where(Vector.vector_settings_id == vector_settings.id)
        if record:
            found = found.where(Record.id != record.id)
        async with search_sessions() as session:
            page = found.with_only_columns(Record.id, cast(Vector.value, String)).order_by(Record.inserted_at)
            rows = [(row[0], row[1]) for row in await session.execute(page)]
        least = order == SimilarityOrder.least_similar
        best = await vectors.nearest(rows, wanted, least=least, limit=max_results)
        items = [_item(*row) for row in best if threshold is None or row[1] >= threshold]
        return SearchResponses(items=await _granted(dataset, asked, items, len(rows)), total=len(best))

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> MetadataMetrics:
        """Return the terms with their counts, or the smallest and largest number."""
        value = dialect.json_values(Record.metadata_, metadata_property.name)
        rows = select(value.c.value).select_from(Record, value).where(Record.dataset_id == metadata_property.dataset_id)
        if metadata_property.is_terms:
            return await _terms(rows, dialect.text(value.c.value))
        number = dialect.number(value.c.value)
        extremes = rows.with_only_columns(func.min(number), func.max(number))
        async with search_sessions() as session:
            low, high = (await session.execute(extremes)).one()
        metrics = IntegerMetadataMetrics if metadata_property.is_integer else FloatMetadataMetrics
        return metrics(min=low, max=high)


def _found(
    dataset: Dataset, query: TextQuery | str | None, filter: Filter | None
) -> tuple[Select[Any], ColumnElement[float] | None]:
    """Return the matching record ids, unordered, and the score column where there is a text query."""
    found = select(Record.id).where(Record.dataset_id == dataset.id)
    if filter:
        found = found.where(condition(filter))
    if query is None:
        return found, None
    text = query if isinstance(query, TextQuery) else TextQuery(q=query)
    matched = dialect.matching(text.q, text.field)
    return found.join(matched, matched.c.record_id == Record.id), matched.c.score


async def _granted(
    dataset: Dataset, asked: queueing.Asked | None, items: list[SearchResponseItem], total: int
) -> list[SearchResponseItem]:
    """Return the items that the person who asks for a queue may have."""
    if asked is None:
        return items
    records = set(await queueing.granted(dataset, asked.user, [item.record_id for item in items], total))
    return [item for item in items if item.record_id in records]


def _item(record_id: UUID, score: float | None = None) -> SearchResponseItem:
    return SearchResponseItem(record_id=record_id, score=score)


async def _counts(rows: Select[Any]) -> dict[str, int]:
    async with search_sessions() as session:
        counts = {str(status): count for status, count in await session.execute(rows)}
    return {"total": sum(counts.values()), **counts}


async def _terms(rows: Select[Any], value: ColumnElement[Any]) -> TermsMetrics:
    grouped = rows.with_only_columns(value, func.count()).where(value.is_not(None)).group_by(value)
    async with search_sessions() as session:
        counts = (await session.execute(grouped.order_by(func.count().desc(), value))).all()
    terms = [TermsMetrics.TermCount(term=str(term), count=count) for term, count in counts[:MAX_TERMS]]
    return TermsMetrics(total=sum(count for _, count in counts), values=terms)

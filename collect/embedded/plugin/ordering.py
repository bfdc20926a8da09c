"""Sorts as SQL, and the order records have when nobody asks for one."""

from typing import Any
from uuid import UUID

from argilla_server.enums import SortOrder
from argilla_server.models import Question, Record, Response, Suggestion
from argilla_server.search_engine import (
    FilterScope,
    MetadataFilterScope,
    Order,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
)
from sqlalchemy import ColumnElement, Select, String, cast, func, literal, select

from .dialect import dialect


def ordering(
    sort: list[Order] | None, score: ColumnElement[float] | None, user_id: UUID | None
) -> list[ColumnElement[Any]]:
    """Return what to order by: the sort asked for, else relevance; among equals the user's own shuffle, else age."""
    keys: list[ColumnElement[Any]] = []
    if sort:
        keys = [_directed(key, order.order) for order in sort for key in _keys(order.scope, order.order)]
    elif score is not None:
        keys = [score.desc()]
    return [*keys, shuffled(user_id)] if user_id else [*keys, Record.inserted_at.asc(), Record.id.asc()]


def shuffled(user_id: UUID) -> ColumnElement[str]:
    """Return a key that puts records in an order of the user's own: the same each time, another for everybody else."""
    return func.md5(literal(user_id.hex) + cast(Record.id, String))


def _directed(key: ColumnElement[Any], order: SortOrder) -> ColumnElement[Any]:
    """Records without a value come last either way, as in Elasticsearch."""
    return (key.desc() if order == SortOrder.desc else key.asc()).nulls_last()


def _keys(scope: FilterScope, order: SortOrder) -> list[ColumnElement[Any]]:
    """Of several values the smallest counts in ascending order and the largest in descending."""
    extreme = func.max if order == SortOrder.desc else func.min
    match scope:
        case RecordFilterScope(property=name):
            return [getattr(Record, name)]
        case MetadataFilterScope(metadata_property=name):
            values = dialect.json_values(Record.metadata_, name)
            return _extremes(select(1).select_from(values), values.c.value, extreme)
        case SuggestionFilterScope(question=question, property=name):
            return _suggestion(question, name, extreme)
        case ResponseFilterScope():
            return _response(scope, extreme)
    raise ValueError(f"cannot sort by {scope}")


def _suggestion(question: str, name: str, extreme: Any) -> list[ColumnElement[Any]]:
    asked = [Suggestion.record_id == Record.id, Question.id == Suggestion.question_id, Question.name == question]
    if name not in ("score", "value"):
        column = Suggestion.agent if name == "agent" else Suggestion.type
        return [select(extreme(cast(column, String))).where(*asked).scalar_subquery()]
    values = dialect.json_values(Suggestion.score if name == "score" else Suggestion.value)
    return _extremes(select(1).select_from(Suggestion, Question, values).where(*asked), values.c.value, extreme)


def _response(scope: ResponseFilterScope, extreme: Any) -> list[ColumnElement[Any]]:
    """Numbers by their mean over the responses, then texts."""
    answered = [Response.record_id == Record.id]
    if scope.user:
        answered.append(Response.user_id == scope.user.id)
    if scope.question is None:
        return [select(extreme(cast(Response.status, String))).where(*answered).scalar_subquery()]
    values = dialect.json_values(Response.values, scope.question, "value")
    rows = select(func.avg(dialect.number(values.c.value))).select_from(Response, values).where(*answered)
    return [rows.scalar_subquery(), rows.with_only_columns(extreme(dialect.text(values.c.value))).scalar_subquery()]


def _extremes(rows: Select[Any], value: ColumnElement[Any], extreme: Any) -> list[ColumnElement[Any]]:
    """Numbers first, then texts."""
    kinds = (dialect.number(value), dialect.text(value))
    return [rows.with_only_columns(extreme(kind)).scalar_subquery() for kind in kinds]

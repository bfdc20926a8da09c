"""Filters as SQL conditions on records."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from argilla_server.enums import RecordStatus, ResponseStatus, ResponseStatusFilter
from argilla_server.models import Question, Record, Response, Suggestion
from argilla_server.search_engine import (
    AndFilter,
    Filter,
    MetadataFilterScope,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)
from sqlalchemy import ColumnElement, String, TableValuedAlias, and_, cast, exists, false, or_, select, true

from .dialect import dialect


def condition(filter: Filter) -> ColumnElement[bool]:
    """Return the condition that a record must meet."""
    if isinstance(filter, AndFilter):
        return and_(true(), *map(condition, filter.filters))
    match filter.scope:
        case MetadataFilterScope(metadata_property=name):
            return _any_value(dialect.json_values(Record.metadata_, name), filter)
        case SuggestionFilterScope(question=question, property=name):
            return _suggestion(question, name, filter)
        case ResponseFilterScope(question=None):
            return _response_status(filter)
        case ResponseFilterScope(question=question):
            values = dialect.json_values(Response.values, question, "value")
            return exists().where(*_of_user(filter.scope), _any_value(values, filter))
        case RecordFilterScope(property=name):
            return _column(name, filter)
    raise ValueError(f"cannot filter by {filter.scope}")


def _suggestion(question: str, name: str, filter: Filter) -> ColumnElement[bool]:
    if name in ("score", "value"):
        column: ColumnElement[Any] = Suggestion.score if name == "score" else Suggestion.value
        met = _any_value(dialect.json_values(column), filter)
    else:
        met = _compare(cast(Suggestion.agent if name == "agent" else Suggestion.type, String), filter)
    asked = exists().where(Question.id == Suggestion.question_id, Question.name == question)
    return exists().where(Suggestion.record_id == Record.id, asked, met)


def _response_status(filter: TermsFilter) -> ColumnElement[bool]:
    """`pending` means no response at all: of this user where there is one, else of anybody."""
    statuses = [ResponseStatus(value) for value in filter.values if value != ResponseStatusFilter.pending]
    alternatives = []
    if ResponseStatusFilter.pending in filter.values:
        alternatives.append(~exists().where(*_of_user(filter.scope)))
    if statuses:
        alternatives.append(exists().where(*_of_user(filter.scope), Response.status.in_(statuses)))
    return or_(false(), *alternatives)


def _of_user(scope: ResponseFilterScope) -> list[ColumnElement[bool]]:
    answered = [Response.record_id == Record.id]
    return [*answered, Response.user_id == scope.user.id] if scope.user else answered


def _column(name: str, filter: Filter) -> ColumnElement[bool]:
    column = getattr(Record, name)
    if name in ("inserted_at", "updated_at"):
        return _compare_as(column, filter, _time)
    if name == "id":
        return _compare_as(column, filter, _uuid)
    if name == "status" and isinstance(filter, TermsFilter):
        return column.in_([value for value in filter.values if value in set(RecordStatus)])
    return _compare(cast(column, String), filter)


def _any_value(values: TableValuedAlias, filter: Filter) -> ColumnElement[bool]:
    return exists(select(1).select_from(values).where(_compare_value(values.c.value, filter)))


def _compare_value(value: ColumnElement[Any], filter: Filter) -> ColumnElement[bool]:
    """Compare a text or number out of JSON; filter values arrive as text even where the property is a number."""
    text, number = dialect.text(value), dialect.number(value)
    if isinstance(filter, TermsFilter):
        numbers = [wanted for wanted in map(_number, filter.values) if wanted is not None]
        return or_(text.in_([str(wanted) for wanted in filter.values]), number.in_(numbers))
    bounds = []
    for bound, above in ((filter.ge, True), (filter.le, False)):
        limit = _number(bound)
        if limit is not None:
            bounds.append(number >= limit if above else number <= limit)
        elif bound is not None:
            bounds.append(text >= str(bound) if above else text <= str(bound))
    return and_(true(), *bounds)


def _compare(column: ColumnElement[str], filter: Filter) -> ColumnElement[bool]:
    if isinstance(filter, TermsFilter):
        return column.in_([str(wanted) for wanted in filter.values])
    bounds = [] if filter.ge is None else [column >= str(filter.ge)]
    return and_(true(), *bounds, *([] if filter.le is None else [column <= str(filter.le)]))


def _compare_as(column: ColumnElement[Any], filter: Filter, parse: Any) -> ColumnElement[bool]:
    """Compare after parsing each filter value; a value that cannot be parsed equals nothing and bounds nothing in."""
    if isinstance(filter, TermsFilter):
        return column.in_([value for value in map(parse, filter.values) if value is not None])
    bounds = [(filter.ge, column.__ge__), (filter.le, column.__le__)]
    parsed = [(parse(bound), within) for bound, within in bounds if bound is not None]
    return and_(true(), *(within(bound) if bound is not None else false() for bound, within in parsed))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _time(value: Any) -> datetime | None:
    """Parse ISO 8601 or milliseconds since 1970 to what the database holds: UTC without a time zone."""
    number = _number(value)
    try:
        moment = datetime.fromisoformat(str(value)) if number is None else datetime.fromtimestamp(number / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

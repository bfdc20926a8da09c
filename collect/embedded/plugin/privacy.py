"""What an annotator must not learn: others' answers and hidden metadata, which two stock routes give away.

`GET /records/{id}` returns everybody's answers and all metadata. A search may filter and sort by hidden metadata, so
that what is found tells its values. And where gold records stay in the queue after others have answered them, their
status would tell which they are. Each handler gets another one before it; owners and admins see no difference.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from argilla_server.api.handlers.v1 import records as record_handlers
from argilla_server.api.handlers.v1.datasets import records as dataset_handlers
from argilla_server.api.routes import api_v1
from argilla_server.api.schemas.v1.records import MetadataFilterScope, SearchRecordsQuery, SearchRecordsResult
from argilla_server.api.schemas.v1.records import Record as RecordSchema
from argilla_server.enums import RecordStatus
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import Dataset, MetadataProperty, Record, Response, User
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

Handler = Callable[..., Awaitable[Any]]


def install() -> None:
    """Put our handlers before the stock ones."""
    _replace(record_handlers.get_record, get_record)
    _replace(dataset_handlers.search_current_user_dataset_records, search_records)


def _replace(stock: Handler, ours: Handler) -> None:
    # The route keeps the stock handler's signature, from which it has read what a request holds.
    [route] = [route for route in api_v1.routes if isinstance(route, APIRoute) and route.endpoint is stock]
    route.dependant.call = ours


async def get_record(*, db: AsyncSession, current_user: User, **request: Any) -> Any:
    """Return the record with the annotator's own answer only, and the metadata that annotators may see."""
    record = await record_handlers.get_record(db=db, current_user=current_user, **request)
    if not current_user.is_annotator:
        return record
    loaded = selectinload(Dataset.metadata_properties)
    record.dataset = await Dataset.get_or_raise(db, record.dataset_id, options=[loaded])
    metadata = await dataset_handlers._filter_record_metadata_for_user(record, current_user)
    shown = RecordSchema.model_validate(record).model_copy(update={"metadata": metadata})
    shown.responses = [response for response in shown.responses or [] if response.user_id == current_user.id]
    if not shown.responses:
        shown.status = RecordStatus.pending
    return shown


async def search_records(*, db: AsyncSession, current_user: User, body: SearchRecordsQuery, **request: Any) -> Any:
    """Search without what annotators may not see, and without a word on who else has answered."""
    search = dataset_handlers.search_current_user_dataset_records
    if not current_user.is_annotator:
        return await search(db=db, current_user=current_user, body=body, **request)
    await _refuse_hidden_metadata(db, current_user, body, request["dataset_id"])
    found = await search(db=db, current_user=current_user, body=body, **request)
    await _hide_statuses(db, current_user, found)
    return found


async def _refuse_hidden_metadata(db: AsyncSession, user: User, body: SearchRecordsQuery, dataset_id: Any) -> None:
    parts = [*(body.filters.and_ if body.filters else ()), *(body.sort or ())]
    names = {part.scope.metadata_property for part in parts if isinstance(part.scope, MetadataFilterScope)}
    for name in names:
        found = await MetadataProperty.get_by(db, name=name, dataset_id=dataset_id)
        if found is not None and user.role not in found.allowed_roles:
            raise UnprocessableEntityError(f"MetadataProperty `{name}` is not visible for annotators")


async def _hide_statuses(db: AsyncSession, user: User, found: SearchRecordsResult) -> None:
    """Show as pending what this annotator has not answered."""
    completed = {item.record.id: item.record for item in found.items if item.record.status == RecordStatus.completed}
    if completed:
        mine = select(Record.id).join(Response).where(Record.id.in_(completed), Response.user_id == user.id)
        answered = set(await db.scalars(mine))
        for record_id, record in completed.items():
            if record_id not in answered:
                record.status = RecordStatus.pending

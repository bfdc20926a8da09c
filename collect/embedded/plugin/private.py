"""Routes beside Argilla's own, under /api/v1/prefloop: what this server can do that a stock one cannot.

A part that adds routes is a module with a `FEATURE` (its name, which clients look for) and a `router`, listed in
`PARTS`. Its routes say who may use them with the types of `access.py`.
"""

from types import ModuleType

from argilla_server.api.routes import api_v1
from fastapi import APIRouter

from . import bulk, changes, plan
from .access import Member

PREFIX = "/prefloop"
PARTS: tuple[ModuleType, ...] = (bulk, changes, plan)

router = APIRouter()


@router.get(PREFIX)
async def features(_user: Member) -> dict[str, list[str]]:
    """Return the names of this server's features."""
    return {"features": sorted(part.FEATURE for part in PARTS)}


def install() -> None:
    """Add the routes to the stock API."""
    api_v1.include_router(router, include_in_schema=False)
    for part in PARTS:
        api_v1.include_router(part.router, prefix=PREFIX, include_in_schema=False)

"""Who may use a route of ours: put one of these types on its first argument."""

from typing import Annotated

from argilla_server.errors import ForbiddenOperationError
from argilla_server.models import User
from argilla_server.security import auth
from fastapi import Security

Member = Annotated[User, Security(auth.get_current_user)]
"""Anybody who is logged in."""


async def _owner(user: Member) -> User:
    if not user.is_owner:
        raise ForbiddenOperationError()
    return user


Owner = Annotated[User, Security(_owner)]
"""Only an owner; everybody else gets HTTP 403."""

"""Tables and the owner's account: what has to be there before the server can serve."""

import logging
import os

import alembic.command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from argilla_server.contexts import accounts
from argilla_server.database import ALEMBIC_CONFIG_FILE, SyncSessionLocal, sync_engine
from argilla_server.enums import UserRole
from argilla_server.models import User
from argilla_server.settings import settings
from sqlalchemy import select

logger = logging.getLogger("prefloop_argilla")


def migrate() -> None:
    """Bring the tables to the server's version; SQLite's in write-ahead mode, so that readers wait for no writer."""
    config = Config(ALEMBIC_CONFIG_FILE)
    with sync_engine.connect() as connection:
        if settings.database_is_sqlite:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        else:
            # The other driver, asyncpg, reads PGPASSFILE wrongly where a password holds a colon or a backslash.
            os.environ["PGPASSWORD"] = connection.connection.driver_connection.info.password or ""
        current = MigrationContext.configure(connection).get_current_revision()
    if current == ScriptDirectory.from_config(config).get_current_head():
        return
    # With the file's name alembic would also apply its logging section, which silences every other logger.
    config.config_file_name = None
    alembic.command.upgrade(config, "head")
    logger.warning("database brought up to date")


def ensure_owner(username: str, password: str, api_key: str) -> None:
    """Create the owner, or give an existing one the password and key of the credentials file."""
    with SyncSessionLocal() as session:
        owner = session.scalar(select(User).where(User.username == username))
        if owner and owner.api_key == api_key and accounts.verify_password(password, owner.password_hash):
            return
        if owner is None:
            owner = User(first_name=username, username=username, role=UserRole.owner)
            session.add(owner)
        owner.password_hash = accounts.hash_password(password)
        owner.api_key = api_key
        session.commit()
        logger.warning("owner account %r set from the credentials file", username)


def close() -> None:
    """Close the connections used here; the server itself has others."""
    SyncSessionLocal.remove()
    sync_engine.dispose()

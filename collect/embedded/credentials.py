"""The secrets of one Argilla folder: the owner's password and API key, and the key that signs log-ins."""

import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...errors import UserError
from ...runs import read_json, write_json

OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is in `credentials.json`, which only its owner may read."""

    username: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    auth_secret_key: str = field(repr=False)


def credentials_file(folder: Path) -> Path:
    """Return where the folder's credentials are."""
    return folder / "credentials.json"


def ensure_credentials(folder: Path) -> Credentials:
    """Read the folder's credentials, or make new ones. Without the file the next start sets a new password and key.

    Raises:
        UserError: the file is damaged.
    """
    path = credentials_file(folder)
    if not path.exists():
        made = Credentials(OWNER, secrets.token_urlsafe(12), secrets.token_urlsafe(32), secrets.token_hex(32))
        write_json(path, asdict(made), mode=0o600)
        return made
    path.chmod(0o600)
    try:
        return Credentials(**read_json(path))
    except TypeError as error:
        raise UserError(
            f"{path} is not a credentials file ({error}); remove it, and the next start makes a new password and key"
        ) from error

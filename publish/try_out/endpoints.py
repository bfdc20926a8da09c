"""A model behind an endpoint, as a user names it on a command line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...asking import EndpointSettings
from ...errors import UserError

URL = re.compile(r"(?P<url>https?://[^#]+)#(?P<model>.+)")


def is_endpoint(text: str) -> bool:
    """Whether the text is `URL#MODEL`, a URL, or a YAML file."""
    return text.startswith(("http://", "https://")) or Path(text).suffix in {".yaml", ".yml"}


def read_endpoint(text: str, more: Mapping[str, object] | None = None) -> EndpointSettings:
    """Return the endpoint's settings.

    Args:
        text: `URL#MODEL`, or a YAML file with `EndpointSettings`: the place for a key's variable, limits and prices.
        more: Settings beside those.

    Raises:
        UserError: it is neither, or a setting is wrong.
    """
    given: Any
    if match := URL.fullmatch(text):
        given = {"base_url": match["url"], "model": match["model"]}
    elif text.startswith(("http://", "https://")):
        raise UserError(f"{text} names no model there: write URL#MODEL, as in http://127.0.0.1:8000/v1#my-model")
    else:
        given = _yaml(Path(text).expanduser())
    try:
        return EndpointSettings.model_validate({**given, **(more or {})})
    except ValidationError as error:
        first = error.errors()[0]
        place, said = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        # Without the URL: a password may stand in it.
        raise UserError(f"an endpoint's settings can't be used: {place + ': ' if place else ''}{said}") from None


def _yaml(path: Path) -> Any:
    import yaml

    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"the endpoint's settings {path} can't be read: {error}") from error
    if not isinstance(read, dict):
        raise UserError(f"{path} holds no endpoint's settings: base_url and model, at least")
    return read

"""Fields of a stranger's row, checked: each function returns what it promises or refuses the row with a reason."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..item import Item, Message, Role, Side
from ..vote import CHOICES, Choice
from .imported import Refused, Row

ROLES: dict[str, Role] = {
    "system": "system", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatbot": "assistant",
}  # fmt: skip
LABELS: dict[str, Choice] = {
    **{choice: choice for choice in CHOICES},
    "a": "A", "b": "B", "model_a": "A", "model_b": "B", "response_a": "A", "response_b": "B",
    "tie (bothbad)": "both_bad", "tie (both bad)": "both_bad", "bothbad": "both_bad", "both bad": "both_bad",
}  # fmt: skip
"""Labels that mean the same everywhere. Numbers are not among them: 1 is the first answer here and the second there."""


def value(row: Row, column: str) -> Any:
    """Return a field, or None; `a.b` is the field `b` of the field `a` where no field is called `a.b`."""
    if column in row:
        return row[column]
    found: Any = row
    for part in column.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def text(row: Row, column: str, *, blank: bool = False) -> str:
    """Return a field that must be text. `blank` allows text without a letter."""
    return checked_text(value(row, column), column, blank=blank)


def checked_text(found: Any, what: str, *, blank: bool = False) -> str:
    """Return `found` if it is text that can be stored anywhere."""
    if found is None:
        raise Refused(f"{what} is missing")
    if not isinstance(found, str):
        raise Refused(f"{what} is not text")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{what} holds half a character (a lone surrogate)") from error
    if not blank and not found.strip():
        raise Refused(f"{what} is empty")
    return found


def maybe_text(row: Row, column: str) -> str | None:
    """Return a field that may be missing or blank, but is text otherwise."""
    found = value(row, column)
    if found is None or (isinstance(found, str) and not found.strip()):
        return None
    return checked_text(found, column)


def name(row: Row, column: str) -> str | None:
    """Return a field that names something: text or a whole number."""
    found = value(row, column)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return maybe_text(row, column)


def whole(row: Row, column: str, low: int, high: int) -> int | None:
    """Return a field that is a whole number in a range, or missing."""
    found = value(row, column)
    if found in (None, ""):
        return None
    number = _number(found)
    if number is None or number != int(number) or not low <= number <= high:
        raise Refused(f"{column} is not a whole number from {low} to {high}")
    return int(number)


def seconds(row: Row, column: str) -> float | None:
    """Return a field that is a length of time in seconds, or missing."""
    found = value(row, column)
    if found in (None, ""):
        return None
    number = _number(found)
    if number is None or number < 0:
        raise Refused(f"{column} is not a number of seconds")
    return number


def moment(row: Row, column: str) -> str:
    """Return a field that is a time (ISO 8601, seconds since 1970, or a datetime) as ISO 8601 in UTC; "" if missing."""
    found = value(row, column)
    if found in (None, ""):
        return ""
    try:
        number = _number(found)
        when = datetime.fromtimestamp(number, UTC) if number is not None else _datetime(found)
        return (when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)).isoformat()
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise Refused(f"{column} is not a time") from error


def conversation(found: Any, what: str) -> tuple[Message, ...]:
    """Return a prompt: text, one message, or a list of messages in OpenAI's or ShareGPT's words."""
    if isinstance(found, str) or found is None:
        return (Message("user", checked_text(found, what)),)
    rows = found if isinstance(found, list | tuple) else [found]
    if not rows:
        raise Refused(f"{what} has no message")
    return tuple(_message(row, what) for row in rows)


def last_answer(messages: tuple[Message, ...], what: str) -> tuple[tuple[Message, ...], str]:
    """Split a conversation into what comes before the last answer, and that answer."""
    if messages[-1].role != "assistant":
        raise Refused(f"{what} does not end with an answer")
    return messages[:-1], messages[-1].content


def choice(found: Any, labels: Mapping[str, str], what: str = "label") -> Choice:
    """Return what a label means: the user's own words for it first, then those that mean the same everywhere."""
    key = str(found).strip() if isinstance(found, str | int | float) else ""
    meant = labels.get(key, key)
    known = LABELS.get(meant) or LABELS.get(meant.lower())
    if known is None:
        shown = (key or type(found).__name__).encode(errors="replace").decode()[:40]
        raise Refused(f"{what} {shown!r} is not understood; say what it means, for example --label A={shown}")
    return known


def differing(a: str, b: str) -> None:
    """Refuse two responses that are the same."""
    if a.strip() == b.strip():
        raise Refused("both responses are the same")


def blind(chosen: str, rejected: str) -> tuple[str, str, Side]:
    """Put chosen and rejected in an order that tells nothing: by hash, so that the same two are always one item."""
    swap = _order(rejected) < _order(chosen)
    return (rejected, chosen, "B") if swap else (chosen, rejected, "A")


def well_formed(item: Item) -> Item:
    """Return the item if its prompt can be shown and answered."""
    if any(not message.content.strip() for message in item.prompt):
        raise Refused("the prompt has an empty message")
    differing(item.response_a, item.response_b)
    return item


def _message(row: Any, what: str) -> Message:
    if not isinstance(row, Mapping):
        raise Refused(f"{what} has a message that is no object with role and content")
    role = row.get("role", row.get("from"))
    content = row.get("content", row.get("value"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Refused(f"{what} has a message of an unknown role")
    if isinstance(content, list):  # OpenAI's parts
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        if not all(isinstance(part, str) for part in parts):
            raise Refused(f"{what} has a message with more than text in it")
        content = "".join(str(part) for part in parts)
    return Message(ROLES[role.lower()], checked_text(content, f"a message of {what}", blank=True))


def _number(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    try:
        number = float(found) if isinstance(found, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1e15 else None  # NaN compares false


def _datetime(found: Any) -> datetime:
    return found if isinstance(found, datetime) else datetime.fromisoformat(found)


def _order(answer: str) -> str:
    return hashlib.sha256(answer.encode()).hexdigest()

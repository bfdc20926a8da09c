"""Votes on which model should be evaluated next: a file of JSON lines that a team can keep under version control."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import UserError
from ...runs import append_line, read_lines

LONGEST = 200
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class Request:
    """A model that people want evaluated."""

    name: str
    by: tuple[str, ...]
    """Who voted, in the order in which they did."""
    since: str
    """When the first of them did: ISO 8601, UTC."""


def cast_vote(path: Path, name: str, by: str) -> bool:
    """Add a vote; False if this person has voted for this model before, which adds nothing.

    Raises:
        UserError: a name is empty, too long, or no single line; or the file holds something else.
    """
    name, by = _line(name, "the model's name"), _line(by, "who votes")
    if any(request.name == name and by in request.by for request in read_votes(path)):
        return False
    append_line(path, {"name": name, "by": by, "at": datetime.now(UTC).isoformat(timespec="seconds")})
    return True


def read_votes(path: Path) -> list[Request]:
    """Return what people want, most votes first, then the oldest.

    Raises:
        UserError: the file holds something else.
    """
    found: dict[str, Request] = {}
    try:
        for row in read_lines(path):
            name, by, when = str(row["name"]), str(row["by"]), str(row["at"])
            known = found.get(name, Request(name, (), when))
            found[name] = known if by in known.by else Request(name, (*known.by, by), min(known.since, when))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{path} holds a line that is no vote {{"name", "by", "at"}}: {error}') from error
    return sorted(found.values(), key=lambda request: (-len(request.by), request.since, request.name))


def waiting(requests: Sequence[Request], evaluated: Collection[str]) -> list[Request]:
    """Return the requests for models that were not evaluated yet."""
    return [request for request in requests if request.name not in evaluated]


def _line(text: str, what: str) -> str:
    plain = text.strip()
    if not plain or len(plain) > LONGEST or not plain.isprintable():
        raise UserError(f"{what} must be one line of 1 to {LONGEST} characters, got {text[:40]!r}")
    return plain

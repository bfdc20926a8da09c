"""Annotators' accounts: made when missing, added to their queues' workspaces, otherwise left as they are."""

import csv
import secrets
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ...errors import Problems, UserError
from .argilla import Argilla
from .queue import Queue

Role = Literal["annotator", "admin"]
"""An admin also sees what others answered. Owners are made in Argilla itself."""
COLUMNS = ("username", "name", "skill", "role")
BETWEEN_SKILLS = ";"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to label."""

    username: str
    name: str | None = None
    """As Argilla's page shows it; the user name where there is none."""
    skills: tuple[str, ...] = ()
    """The skills whose queues they label; none means the main queue."""
    role: Role = "annotator"


@dataclass(frozen=True, slots=True)
class Annotator:
    """An account that may label. The password is only known when it was set just now."""

    username: str
    api_key: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    role: str = "annotator"
    """The account's; an invitation changes no role."""


def read_people(path: Path, skills: Collection[str] = ()) -> list[Person]:
    """Read people from a CSV file with the columns username and, as you like, name, skill (`a;b` for two) and role.

    Args:
        path: the file, UTF-8.
        skills: the names that the column skill may hold.

    Raises:
        UserError: the file can't be read.
        Problems: everything that is wrong in it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True, strict=True)
            columns, rows = list(reader.fieldnames or ()), [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not CSV in UTF-8: {error}") from error
    unknown = [name for name in columns if name not in COLUMNS]
    if "username" not in columns or unknown:
        raise UserError(
            f"{path} must start with a line of column names, username among them, of {', '.join(COLUMNS)}; "
            f"it has {', '.join(columns) or 'none'}"
        )
    people, problems = dict[int, Person](), list[str]()
    for line, row in rows:
        if None in row:
            problems.append(f"line {line}: more cells than columns")
            continue
        people[line] = _person({name: (cell or "").strip() for name, cell in row.items()})
        found = [*_problems(people[line], skills), *_again(people, line)]
        problems += [f"line {line}: {problem}" for problem in found]
    if problems:
        raise Problems(f"{path} is not a list of people", problems)
    if not people:
        raise UserError(f"{path} names nobody")
    return list(people.values())


def check_names(names: Sequence[str]) -> None:
    """Raise Problems where names can't be user names."""
    problems = [problem for name in names for problem in _problems(Person(name), ())]
    if problems:
        raise Problems("these can't be user names", problems)


def invite(
    argilla: Argilla,
    people: Iterable[Person],
    workspaces: Mapping[str | None, str],
    *,
    reset_password: bool = False,
) -> Iterator[Annotator]:
    """Make the accounts that are missing, add all to their workspaces, and yield each once it is ready.

    A generator, so that whoever takes the passwords has those of the accounts already made when a later one fails.
    Passwords are kept nowhere. Argilla can't make people change them at the first log-in, and a reset one leaves the
    account's API key and the log-ins that are open as they are.

    Args:
        argilla: connected as an owner.
        people: who.
        workspaces: a workspace's id for each skill, and for None, the main queue.
        reset_password: give existing accounts a new password too.
    """
    users = {row["username"]: row for row in argilla.items("/users")}
    members = {
        workspace: {row["id"] for row in argilla.items(f"/workspaces/{workspace}/users")}
        for workspace in set(workspaces.values())
    }
    for person in people:
        user = users.get(person.username)
        password: str | None = secrets.token_urlsafe(12)
        if user is None:
            body = {"username": person.username, "first_name": person.name or person.username}
            user = argilla.call("POST", "/users", body=body | {"password": password, "role": person.role})
        elif reset_password:
            user = argilla.call("PATCH", f"/users/{user['id']}", body={"password": password})
        else:
            password = None
        for workspace in {workspaces[skill] for skill in person.skills or (None,)}:
            if user["id"] not in members[workspace]:
                argilla.call("POST", f"/workspaces/{workspace}/users", body={"user_id": user["id"]})
        yield Annotator(person.username, user["api_key"], password, user["role"])


def ensure_annotators(argilla: Argilla, queue: Queue, names: Iterable[str]) -> list[Annotator]:
    """Return these names' accounts, made with random passwords where missing, as members of the queue's workspace."""
    return list(invite(argilla, [Person(name) for name in sorted(set(names))], {None: queue.workspace_id}))


def _person(cells: Mapping[str, str]) -> Person:
    skills = tuple(skill.strip() for skill in cells.get("skill", "").split(BETWEEN_SKILLS) if skill.strip())
    role = cells.get("role") or "annotator"
    return Person(cells["username"], cells.get("name") or None, skills, role)  # type: ignore[arg-type]  # checked next


def _problems(person: Person, skills: Collection[str]) -> Iterator[str]:
    name = person.username
    if not name:
        yield "no user name"
    # Argilla takes any text, of any script; people have to type it.
    elif any(letter.isspace() or unicodedata.category(letter).startswith("C") for letter in name):
        yield f"the user name {name!r} has blanks or invisible letters, which people mistype; leave them out"
    if person.role not in get_args(Role):
        yield f"the role {person.role!r} is none of {', '.join(get_args(Role))}"
    for skill in person.skills:
        if skill not in skills:
            yield f"the skill {skill!r} is not in the recipe (collect.skills): {', '.join(skills) or 'it has none'}"


def _again(people: Mapping[int, Person], line: int) -> Iterator[str]:
    """Say where a line's name stands already: to Argilla `Ann` and `ann` are two, but people would mix them up."""
    name = people[line].username
    for other, person in people.items():
        if other < line and name and person.username.casefold() == name.casefold():
            yield f"{name!r} is already on line {other}"
            return

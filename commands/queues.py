"""The verbs of a queue's life: the people who label it, and its next version."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import facts, progress_bar, result_json, say, table
from ..errors import UserError
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..collect import Annotator, Migrated

    Keep = Callable[[Iterable[Annotator]], None]

app = typer.Typer()
KEPT = "has one already"


@app.command("invite")
def collect_invite(
    recipe: RecipePath,
    names: Annotated[list[str] | None, typer.Argument(help="User names.", show_default="the recipe's skills'")] = None,
    people: Annotated[
        Path | None, typer.Option("--from", help="A CSV file: username and, as you like, name, skill (a;b), role.")
    ] = None,
    passwords_to: Annotated[
        Path | None, typer.Option(help="Write the passwords into a new CSV file (0600) instead of showing them.")
    ] = None,
    reset_password: Annotated[bool, typer.Option(help="Give accounts that exist a new password too.")] = False,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Let people label: make their accounts, and add them to the workspaces of their queues.

    Passwords are random and shown this once; prefloop keeps none. Accounts that exist stay as they are. Without a
    skill people label the main queue; Argilla shows them every queue of a workspace that they are in, so a skill that
    only some may see needs a workspace of its own (collect.skills.<name>.workspace).
    """
    from ..loop import connect, find_people, invite_people

    settings, opened = open_recipe(recipe, run, overrides)
    wanted = find_people(settings, names or [], people)  # all problems of the file before Argilla is asked
    with connect(opened) as argilla, _keeping(passwords_to) as keep:
        keep(invite_people(argilla, settings, wanted, reset_password=reset_password))
        say(f"They log in at {argilla.url}")


@app.command("migrate")
def collect_migrate(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    carry_votes: Annotated[bool, typer.Option(help="Carry the votes given so far over.")] = True,
    as_json: Json = False,
) -> None:
    """Make the next version of the queue after its form, guidelines or skills changed, and carry the votes over.

    The old version stays in Argilla as it is. Each vote is there again under its author's name, with its status; what
    the new form can't hold is left out and counted, and a vote keeps the protocol it was really given under. Interrupt
    it whenever you like; the same command goes on. Run again later, it fetches answers given to the old version since.
    """
    from dataclasses import asdict

    from ..loop import connect, migrate_queues

    settings, opened = open_recipe(recipe, run, overrides, migrating=True)
    with opened.locked(), connect(opened) as argilla, progress_bar("migrate") as progress:
        migrated, notes = migrate_queues(opened, settings, argilla, progress, carry_votes=carry_votes)
    if as_json:
        result_json([asdict(row) for row in migrated])
        return
    for row in migrated:
        _show_migrated(row)
    for note in notes:
        say(note)
    say(f"Which votes, by id: {opened.folder / 'collect' / 'migrate.json'}")
    say("Annotators find the new version in Argilla's list. Whoever still has an old one open may go on there: migrate")
    say("again once all have moved, and those answers come along.")


def _show_migrated(row: "Migrated") -> None:
    rows: dict[str, object] = {
        "version": row.version,
        "votes from": ", ".join(row.sources) or "nowhere",
        "items added": row.pushed.added,
        "items already there": row.pushed.already_there,
        "items refused": len(row.pushed.refused),
        "votes carried over": row.carried,
    }
    rows |= {f"not carried over: {reason}": len(ids) for reason, ids in row.left_out.items()}
    rows |= {f"carried over without their {question}": len(ids) for question, ids in row.values_left_out.items()}
    facts(f"Queue {row.queue}", rows)
    for item_id, reason in row.pushed.refused:
        say(f"refused {item_id}: {reason}")


@contextmanager
def _keeping(path: Path | None) -> "Iterator[Keep]":
    """Give what takes the accounts as they are made: a table at the end, or a file that is written line by line.

    Either way, the passwords of accounts already made are not lost when a later one fails.
    """
    if path is None:
        made: list[Annotator] = []
        try:
            yield made.extend
        finally:
            if made:
                rows = [(row.username, row.role, row.password or KEPT) for row in made]
                table("Annotators", ("user", "role", "password"), rows)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UserError(f"{path} exists; passwords are not written over it. Name another file") from error
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("username", "role", "password"))

        def keep(annotators: "Iterable[Annotator]") -> None:
            for row in annotators:
                writer.writerow((row.username, row.role, row.password or ""))
                file.flush()

        yield keep
    say(f"The passwords are in {path}, for you only: hand them out and remove it")

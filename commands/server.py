"""The embedded Argilla's verbs."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import facts, result, result_json, say
from .options import Json

app = typer.Typer(help="The embedded Argilla: no Elasticsearch, no Redis, no Docker.", no_args_is_help=True)

ServerFolder = Annotated[
    Path | None, typer.Option("--folder", help="Where the server keeps its data.", show_default="~/.prefloop/argilla")
]

Database = Annotated[
    str | None,
    typer.Option(help="A PostgreSQL: postgresql://user@host:5432/name, without the password.", show_default="SQLite"),
]


@app.command("start")
def server_start(
    folder: ServerFolder = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 opens it to the network: mind the passwords.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="The port.", show_default="the last one, or a free one")] = None,
    database: Database = None,
) -> None:
    """Start the embedded Argilla, or find it running.

    The first start creates the server's own environment (some minutes of downloads). With --database the data lie in a
    PostgreSQL instead of a file in the folder; the folder remembers it. Its password is looked for where PostgreSQL's
    own programs do: PGPASSWORD, PGPASSFILE or ~/.pgpass.
    """
    from ..collect.embedded import start_server

    server = start_server(_server_folder(folder), host=host, port=port, database=database, say=say)
    facts("Argilla is running", {"page": server.url, "user": server.username, "password in": server.password_file})


@app.command("stop")
def server_stop(folder: ServerFolder = None) -> None:
    """Stop the embedded Argilla; its data stay."""
    from ..collect.embedded import stop_server

    result("stopped" if stop_server(_server_folder(folder)) else "it was not running")


@app.command("status")
def server_status(folder: ServerFolder = None, as_json: Json = False) -> None:
    """Say whether the embedded Argilla runs, and where; exit 1 if it does not."""
    from dataclasses import asdict

    from ..collect.embedded import server_status

    status = server_status(_server_folder(folder))
    row = {name: value if isinstance(value, int | None) else str(value) for name, value in asdict(status).items()}
    result_json(row) if as_json else facts("The embedded Argilla", row)
    raise typer.Exit(0 if status.running else 1)


@app.command("logs")
def server_logs(folder: ServerFolder = None, lines: Annotated[int, typer.Option(help="How many.", min=1)] = 50) -> None:
    """Show the end of the embedded Argilla's log."""
    from ..collect.embedded import server_logs

    result(server_logs(_server_folder(folder), lines))


@app.command("backup")
def server_backup(
    file: Annotated[Path, typer.Argument(help="The file to write, such as argilla-2026-11-21.tar.gz.")],
    folder: ServerFolder = None,
) -> None:
    """Write everything in the embedded Argilla, as it is at one moment, into one file; it may run meanwhile.

    The file holds the owner's password and key too: keep it where you would keep those.
    """
    from ..collect.embedded import back_up

    result(f"backed up to {back_up(_server_folder(folder), file)}")


@app.command("restore")
def server_restore(
    file: Annotated[Path, typer.Argument(help="What `prefloop server backup` wrote.")],
    folder: ServerFolder = None,
    database: Database = None,
) -> None:
    """Make the Argilla of a backup anew, with its accounts and keys. Nothing that exists is overwritten.

    A backup of a server on PostgreSQL goes into an empty database, named by --database.
    """
    from ..collect.embedded import restore

    restore(file, _server_folder(folder), database=database)
    result(f"restored to {_server_folder(folder)}; start it with `prefloop server start`")


def _server_folder(folder: Path | None) -> Path:
    from ..home import home

    return folder or home() / "argilla"

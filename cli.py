"""The verbs. A command parses, calls one function, and shows the result."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import facts, log_to_stderr, progress_bar, result, result_json, say, table
from .errors import UserError

if TYPE_CHECKING:
    from .recipe import Recipe
    from .runs import Run
    from .train import Preflight

app = typer.Typer(
    help="Collect preferences in Argilla, train a small model on them, find out whether it got better, publish.",
    epilog="Start with `prefloop demo`: the whole loop on a small model, in under ten minutes on two CPU cores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
server_app = typer.Typer(help="The embedded Argilla: no Elasticsearch, no Redis, no Docker.", no_args_is_help=True)
collect_app = typer.Typer(help="Items into a queue, votes and pairs out of it.", no_args_is_help=True)
app.add_typer(server_app, name="server")
app.add_typer(collect_app, name="collect")

RecipePath = Annotated[Path, typer.Argument(help="The recipe (YAML).", show_default=False)]
RunFolder = Annotated[Path | None, typer.Option("--run", help="The run's folder.", show_default="runs/<recipe's name>")]
Overrides = Annotated[
    list[str], typer.Option("--set", help="Change a setting: --set train.beta=0.2", metavar="A.B=VALUE")
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
ServerFolder = Annotated[
    Path | None, typer.Option("--folder", help="Where the server keeps its data.", show_default="~/.prefloop/argilla")
]


def _version(asked: bool) -> None:
    if asked:
        from . import __version__

        result(f"prefloop {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    log_to_stderr(verbose=verbose)


@app.command()
def demo(
    run: RunFolder = None,
    label: Annotated[bool, typer.Option("--label", help="Label in the browser yourself instead of replaying.")] = False,
    enough: Annotated[int, typer.Option(help="With --label: go on after so many votes.", min=1)] = 200,
    port: Annotated[int | None, typer.Option(help="Argilla's port.", show_default="a free one")] = None,
    merged: Annotated[bool, typer.Option("--merged", help="Also write the merged model.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Throw an earlier demo run away.")] = False,
    overrides: Overrides = [],  # noqa: B006  # typer reads the default, nobody changes it
) -> None:
    """Run the whole loop once: label, train, evaluate, release.

    Interrupt it whenever you like; the same command goes on where it stopped.
    """
    from .demo import demo_recipe, run_demo

    recipe = demo_recipe(overrides, label=label, merged=merged)
    folder = run or Path("runs") / recipe.name
    run_demo(recipe, folder, enough=enough, port=port, overwrite=overwrite)


@server_app.command("start")
def server_start(
    folder: ServerFolder = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 opens it to the network: mind the passwords.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="The port.", show_default="the last one, or a free one")] = None,
) -> None:
    """Start the embedded Argilla, or find it running.

    The first start creates the server's own environment (some minutes of downloads).
    """
    from .collect.embedded import start_server

    server = start_server(_server_folder(folder), host=host, port=port, say=say)
    facts("Argilla is running", {"page": server.url, "user": server.username, "password in": server.password_file})


@server_app.command("stop")
def server_stop(folder: ServerFolder = None) -> None:
    """Stop the embedded Argilla; its data stay."""
    from .collect.embedded import stop_server

    result("stopped" if stop_server(_server_folder(folder)) else "it was not running")


@server_app.command("status")
def server_status(folder: ServerFolder = None, as_json: Json = False) -> None:
    """Say whether the embedded Argilla runs, and where; exit 1 if it does not."""
    from dataclasses import asdict

    from .collect.embedded import server_status

    status = server_status(_server_folder(folder))
    row = {name: value if isinstance(value, int | None) else str(value) for name, value in asdict(status).items()}
    result_json(row) if as_json else facts("The embedded Argilla", row)
    raise typer.Exit(0 if status.running else 1)


@server_app.command("logs")
def server_logs(folder: ServerFolder = None, lines: Annotated[int, typer.Option(help="How many.", min=1)] = 50) -> None:
    """Show the end of the embedded Argilla's log."""
    from .collect.embedded import server_logs

    result(server_logs(_server_folder(folder), lines))


@collect_app.command("push")
def collect_push(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Set prompts apart, then show the items in Argilla. Pushing again adds what is new and touches no answer."""
    from .loop import connect, push_items

    settings, opened = _open(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("push") as progress:
        pushed = push_items(opened, settings, argilla, progress)
    facts("Pushed", {"added": pushed.added, "already there": pushed.already_there, "refused": len(pushed.refused)})
    for item_id, reason in pushed.refused:
        say(f"refused {item_id}: {reason}")


@collect_app.command("invite")
def collect_invite(
    recipe: RecipePath,
    names: Annotated[list[str], typer.Argument(help="User names of annotators.", show_default=False)],
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Let people label: make their accounts, with passwords shown this once, and add them to the queue's workspace."""
    from .collect import ensure_annotators, find_queue
    from .loop import connect

    settings, opened = _open(recipe, run, overrides)
    with connect(opened) as argilla:
        annotators = ensure_annotators(argilla, find_queue(argilla, settings.collect), names)
        say(f"They log in at {argilla.url}")
    table("Annotators", ("user", "password"), [(row.username, row.password or "has one already") for row in annotators])


@collect_app.command("status")
def collect_status(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Say how far the annotators are."""
    from .collect import find_queue, queue_status
    from .loop import connect

    settings, opened = _open(recipe, run, overrides)
    with connect(opened) as argilla:
        status = queue_status(argilla, find_queue(argilla, settings.collect))
    row = {"items": status.total, "completed": status.completed, "submitted": status.submitted}
    result_json(row) if as_json else facts(f"Queue {settings.collect.queue}", row)


@collect_app.command("pull")
def collect_pull(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Read the votes back, measure agreement, and make the pairs."""
    from .loop import connect, pull_votes
    from .runs import read_json

    settings, opened = _open(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("pull") as progress:
        pull_votes(opened, settings, argilla, progress)
    summary = read_json(opened.folder / "collect" / "summary.json")
    result_json(summary) if as_json else _show_collected(summary)


@app.command()
def train(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look at settings, data and tokens.")] = False,
) -> None:
    """Train an adapter on the pairs that `collect pull` made. A preflight comes first, always."""
    from .loop import check_training, train_adapter

    settings, opened = _open(recipe, run, overrides)
    if dry_run:
        _show_preflight(check_training(opened, settings))
        return
    with opened.locked(), progress_bar("train") as progress:
        adapter = train_adapter(opened, settings, progress)
    facts("Trained", {"adapter": adapter.path, "base": adapter.base_name})


@app.command()
def evaluate(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Compare base and tuned model on the sealed pairs, and write the report. Counts as one opening of the seal."""
    from .loop import evaluate_run

    settings, opened = _open(recipe, run, overrides)
    with opened.locked(), progress_bar("evaluate") as progress:
        report = evaluate_run(opened, settings, progress)
    result(report.summary)
    say(f"report: {opened.folder / 'report.html'}")


@app.command()
def publish(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Write the release folder: exactly what would go to the Hub. Nothing is uploaded yet."""
    from .loop import release_run

    settings, opened = _open(recipe, run, overrides)
    with opened.locked():
        release = release_run(opened, settings)
    result(str(release.folder))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine can do, and how to fix what it can't; exit 1 if something is broken."""
    from dataclasses import asdict

    from .doctor import examine

    findings = examine()
    if as_json:
        result_json([asdict(finding) for finding in findings])
    else:
        rows = [(row.status, row.name, row.found, row.fix) for row in findings]
        table("What this machine can do", ("", "what", "found", "to change it"), rows)
    raise typer.Exit(1 if any(finding.status == "fail" for finding in findings) else 0)


def main() -> None:
    """Run the command line: what a user can fix ends in one paragraph and exit code 2."""
    try:
        app()
    except UserError as error:
        say(f"prefloop: {error}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "prefloop":
            raise
        say(f'prefloop: this needs the package {error.name}, which is not installed: pip install "prefloop[all]"')
        sys.exit(2)


def _open(path: Path, folder: Path | None, overrides: list[str]) -> "tuple[Recipe, Run]":
    from .recipe import load_recipe, resolved
    from .runs import open_run

    recipe = load_recipe(path, overrides)
    return recipe, open_run(folder or Path("runs") / recipe.name, resolved(recipe))


def _show_collected(summary: dict[str, Any]) -> None:
    agreed, outcomes = summary["agreement"], summary["outcomes"]
    facts(
        "Collected",
        {
            "items": summary["items"],
            "votes": ", ".join(f"{count} {status}" for status, count in summary["statuses"].items()) or "none",
            "outcomes": ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()),
            "training pairs": summary["training_pairs"],
            "sealed pairs": summary["sealed_pairs"],
            "edits that became pairs": summary["edits"],
            "Krippendorff's alpha": _with_interval(agreed["alpha"], agreed["alpha_interval"]),
            "votes that agree": _with_interval(agreed["pairwise"], agreed["pairwise_interval"]),
        },
    )


def _show_preflight(found: "Preflight") -> None:
    facts("What the training would see", dict(found.as_rows()))
    result(f"\nThe first pair, up to where scoring starts:\n{found.example_context}")
    result(f"\n+ chosen:\n{found.example_chosen}\n\n- rejected:\n{found.example_rejected}\n")
    for warning in found.warnings:
        say(f"warning: {warning}")
    found.require()


def _with_interval(value: float | None, interval: list[float] | None) -> str:
    return (
        "undefined"
        if value is None or interval is None
        else f"{value:.2f} (95%: {interval[0]:.2f} to {interval[1]:.2f})"
    )


def _server_folder(folder: Path | None) -> Path:
    from .home import home

    return folder or home() / "argilla"

"""The verbs. A command parses, calls one function, and shows the result."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .commands import (
    bench,
    bench_tasks,
    catalogue,
    chat,
    checking,
    collect,
    export,
    gate,
    humans,
    init,
    judging,
    launch,
    leaderboard,
    publish,
    quality,
    queues,
    recipe,
    sampling,
    search,
    server,
    sources,
    sweep,
    trace,
    try_out,
)
from .commands.dry_run import look
from .commands.options import Json, Overrides, RecipePath, RunFolder, open_recipe
from .commands.watching import View, outcome, watched_training
from .console import facts, log_errors_only, log_to_stderr, progress_bar, result, result_json, say, table
from .errors import Interrupted, UserError

if TYPE_CHECKING:
    from .recipe import Recipe
    from .runs import Run

app = typer.Typer(
    help="Collect preferences in Argilla, train a small model on them, find out whether it got better, publish.",
    epilog="Start with `prefloop demo`: the whole loop on a small model, in under ten minutes on two CPU cores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
bench.app.add_typer(bench_tasks.app)
collect.app.add_typer(checking.app)
collect.app.add_typer(quality.app)
collect.app.add_typer(queues.app)
collect.app.add_typer(sampling.app)
collect.app.add_typer(sources.app)
app.command("init")(init.init)
app.command("export")(export.export)
app.command("chat")(chat.chat)
app.command("launch")(launch.launch)
app.command("sweep")(sweep.sweep)
app.command("trace")(trace.trace)
app.command("gate")(gate.gate)
app.command("publish")(publish.publish)
app.command("try-out")(try_out.try_out)
app.command("search")(search.search)
app.add_typer(recipe.app, name="recipe")
app.add_typer(server.app, name="server")
app.add_typer(collect.app, name="collect")
app.add_typer(bench.app, name="bench")
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(humans.app, name="humans")
app.add_typer(judging.app, name="judge")


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


@app.command()
def train(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look: settings, data, tokens, tokenizer, memory.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="With --dry-run: take one step on the longest pairs, for time and memory.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: write what was found as JSON.")] = False,
    processes: Annotated[
        int | None, typer.Option(help="Start only as so many processes: launchers may start fewer.", min=1)
    ] = None,
) -> None:
    """Train an adapter on the pairs that `collect pull` made. A preflight comes first, always.

    On several GPUs or machines, start it with the files of `prefloop launch`; the recipe stays the same. Ctrl-C ends
    the step and keeps it; the same command goes on from there.
    """
    if dry_run:
        look(*open_recipe(recipe, run, overrides), measure=measure, as_json=as_json)
        return
    if measure or as_json:
        raise UserError("--measure and --json belong to --dry-run; a training measures its own first step")
    try:
        _train_together(lambda: open_recipe(recipe, run, overrides), processes)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on", 130) from None


def _train_together(opening: "Callable[[], tuple[Recipe, Run]]", processes: int | None) -> None:
    """Train in this process, or in it and the others that a launcher started: one writes, and one speaks."""
    from .loop import train_adapter
    from .train import join_world, one_voice

    world = join_world(processes)
    if not world.main:
        log_errors_only()
    with one_voice(world), ExitStack() as held:
        settings, opened = world.from_main(opening)
        world.from_main(lambda: held.enter_context(opened.locked()))
        view = held.enter_context(watched_training("train")) if world.main else View()
        adapter = train_adapter(opened, settings, view.progress, view.metrics)
    if world.main:
        facts("Trained", {"adapter": adapter.path, "base": adapter.base_name} | outcome(adapter))


@app.command()
def evaluate(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    must_pass: Annotated[
        bool, typer.Option("--gate", help="Exit 1 unless the report passes the recipe's gate (evaluate.gate).")
    ] = False,
) -> None:
    """Compare base and tuned model on the sealed pairs, and write the report. Counts as one opening of the seal.

    Beside the sealed pairs: the task check, a judge model, general questions, benchmark tasks, wordings, style, overlap
    with the training data, as far as the recipe asks for them. Interrupt it whenever you like; it goes on.
    """
    from .loop.evaluating import evaluate_run, forecast_run

    settings, opened = open_recipe(recipe, run, overrides)
    if must_pass and settings.evaluate.gate is None:
        raise UserError(f"--gate: the recipe {settings.name} has no rules; write them under evaluate.gate")
    with opened.locked():
        say(forecast_run(opened, settings))
        with progress_bar("evaluate") as progress:
            report = evaluate_run(opened, settings, progress)
        result(report.summary)
        passed = gate.decide(opened, settings) if settings.evaluate.gate else True
    say(f"report: {opened.folder / 'report.html'}")
    if must_pass and not passed:
        raise typer.Exit(1)


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
    except Interrupted as stopped:
        say(f"prefloop: {stopped}")
        sys.exit(stopped.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "prefloop":
            raise
        say(f'prefloop: this needs the package {error.name}, which is not installed: pip install "prefloop[all]"')
        sys.exit(2)

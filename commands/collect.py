"""The verbs of collecting."""

from typing import Annotated, Any

import typer

from ..console import facts, progress_bar, result_json, say, table
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

app = typer.Typer(help="Items into a queue, votes and pairs out of it.", no_args_is_help=True)


@app.command("push")
def collect_push(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Set prompts apart, then show the items in Argilla. Pushing again adds what is new and touches no answer."""
    from ..loop import connect, push_items

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("push") as progress:
        pushed = push_items(opened, settings, argilla, progress)
    facts("Pushed", {"added": pushed.added, "already there": pushed.already_there, "refused": len(pushed.refused)})
    for item_id, reason in pushed.refused:
        say(f"refused {item_id}: {reason}")


@app.command("invite")
def collect_invite(
    recipe: RecipePath,
    names: Annotated[list[str], typer.Argument(help="User names of annotators.", show_default=False)],
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Let people label: make their accounts, with passwords shown this once, and add them to the queue's workspace."""
    from ..collect import ensure_annotators, find_queue
    from ..loop import connect

    settings, opened = open_recipe(recipe, run, overrides)
    with connect(opened) as argilla:
        annotators = ensure_annotators(argilla, find_queue(argilla, settings.collect), names)
        say(f"They log in at {argilla.url}")
    table("Annotators", ("user", "password"), [(row.username, row.password or "has one already") for row in annotators])


@app.command("status")
def collect_status(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Say how far the annotators are."""
    from ..collect import find_queue, queue_status
    from ..loop import connect

    settings, opened = open_recipe(recipe, run, overrides)
    with connect(opened) as argilla:
        status = queue_status(argilla, find_queue(argilla, settings.collect))
    row = {"items": status.total, "completed": status.completed, "submitted": status.submitted}
    result_json(row) if as_json else facts(f"Queue {settings.collect.queue}", row)


@app.command("pull")
def collect_pull(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    full: Annotated[
        bool, typer.Option("--full", help="Read every vote again, not only those that are new or changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the votes back, measure agreement, and make the pairs.

    From the embedded Argilla only what changed since the last pull is read; any other Argilla is read as a whole.
    """
    from ..loop import connect, pull_votes
    from ..runs import read_json

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("pull") as progress:
        pull_votes(opened, settings, argilla, progress, full=full)
    summary = read_json(opened.folder / "collect" / "summary.json")
    result_json(summary) if as_json else show_collected(summary)


def show_collected(summary: dict[str, Any]) -> None:
    """Show what a pull, or an adoption of recorded votes, gave."""
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


def _with_interval(value: float | None, interval: list[float] | None) -> str:
    return (
        "undefined"
        if value is None or interval is None
        else f"{value:.2f} (95%: {interval[0]:.2f} to {interval[1]:.2f})"
    )

"""The verbs of collecting."""

from typing import Annotated, Any

import typer

from ..console import facts, progress_bar, result_json, say
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

app = typer.Typer(help="Items into a queue, votes and pairs out of it.", no_args_is_help=True)


@app.command("push")
def collect_push(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Set prompts apart, then show the items in Argilla. Pushing again adds what is new and touches no answer."""
    from ..loop import check_push, connect, push_items

    settings, opened = open_recipe(recipe, run, overrides)
    shares = check_push(settings)
    with opened.locked(), connect(opened) as argilla, progress_bar("push") as progress:
        pushed = push_items(opened, settings, argilla, progress)
    rows = {"added": pushed.added, "already there": pushed.already_there, "refused": len(pushed.refused)}
    if settings.collect.skills:
        rows |= {f"items for {share.skill or 'no skill'}": len(share.items) for share in shares.rows}
        rows |= {"of two skills or more, to the first": len(shares.several)}
    facts("Pushed", rows)
    for item_id, reason in pushed.refused:
        say(f"refused {item_id}: {reason}")
    for note in pushed.notes:
        say(note)


@app.command("status")
def collect_status(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Say how far the annotators are, queue by queue, and how often the sealed set was opened."""
    from ..loop import connect, queues_status, seal_status

    settings, opened = open_recipe(recipe, run, overrides)
    with connect(opened) as argilla:
        found = queues_status(argilla, settings)
    rows = {
        queue.name: {"items": status.total, "completed": status.completed, "submitted": status.submitted}
        for queue, status in found
    } | {"sealed set": seal_status(opened)}
    if as_json:
        result_json(rows)
        return
    for name, row in rows.items():
        facts(name if name == "sealed set" else f"Queue {name}", row)


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
        }
        | {f"gave a pair, chosen by {arm['name']}": _share(arm["decided"]) for arm in summary["arms"]},
    )
    if effect := summary["suggestion_effect"]:
        moved = " to ".join(f"{100 * effect[name]:+.0f}" for name in ("low", "high"))
        say(f"seeing a suggestion moved votes towards it by {100 * effect['difference']:+.0f} points (95%: {moved})")


def _share(figure: dict[str, float] | None) -> str:
    return "no votes" if figure is None else f"{figure['value']:.0%} (95%: {figure['low']:.0%} to {figure['high']:.0%})"


def _with_interval(value: float | None, interval: list[float] | None) -> str:
    return (
        "undefined"
        if value is None or interval is None
        else f"{value:.2f} (95%: {interval[0]:.2f} to {interval[1]:.2f})"
    )

"""The verbs of an evaluation by people."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import facts, progress_bar, result, result_json, say
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..evaluate.estimate import WinRate
    from ..runs import Run

app = typer.Typer(help="People compare the base and the tuned model's answers, blind.", no_args_is_help=True)


@app.command("push")
def humans_push(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Show both models' answers to the sealed prompts, blind, in a queue of their own.

    Comes after `prefloop evaluate`, whose answers these are. Equal answers are ties that nobody is asked about. Pushing
    again adds nothing; a model trained anew gets a new queue.
    """
    from ..loop import connect
    from ..loop.human_rounds import push_round

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("push") as progress:
        pushed = push_round(opened, settings, argilla, progress)
        url = argilla.url
    rows = {
        "added": pushed.pushed.added,
        "already there": pushed.pushed.already_there,
        "refused": len(pushed.pushed.refused),
        "equal answers, ties unasked": len(pushed.equal),
        "sealed prompts without answers": len(pushed.without_answers),
    }
    facts(f"Queue {pushed.queue}", rows)
    for item_id, reason in pushed.pushed.refused:
        say(f"refused {item_id}: {reason}")
    say(f"People label it at {url}, {settings.collect.min_votes} votes a prompt; `prefloop humans pull` counts them")


@app.command("pull")
def humans_pull(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    full: Annotated[bool, typer.Option("--full", help="Read every vote again, not only new or changed ones.")] = False,
    as_json: Json = False,
) -> None:
    """Read the votes back: how often people prefer the tuned model, how surely, and how far they agree."""
    from ..evaluate.humans import words
    from ..loop import connect
    from ..loop.human_rounds import humans_folder, pull_round
    from ..loop.reporting import refresh_report

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("pull") as progress:
        found = pull_round(opened, settings, argilla, progress, full=full)
        refresh_report(opened)
    if as_json:
        result_json(asdict(found))
        return
    for sentence in words(found, _judged(opened)):
        result(sentence)
    say(f"votes and numbers: {humans_folder(opened)}")


def _judged(run: "Run") -> "WinRate | None":
    """Return the win rate of the report, which is about the same answers."""
    from ..evaluate import read_report

    path = run.folder / "report.json"
    return read_report(path).win_rate if path.exists() else None

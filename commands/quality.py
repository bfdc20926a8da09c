"""The verbs that look at what people said."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..console import facts, progress_bar, result, result_json, say, table
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..collect.quality import Quality

app = typer.Typer()


@app.command("report")
def collect_report(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Write “annotator 1” instead of user names, to pass the page on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether one can train on the votes, whom to talk to, which items to settle, and what it cost.

    Run it after a pull. It writes collect/quality.html (one page, no network), quality.json and disputes.jsonl into
    the run's folder. Give an hour's price to see what a pair costs: --set collect.price_per_hour=20
    """
    from dataclasses import asdict

    from ..loop import report_quality

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked():
        quality = report_quality(opened, settings, pseudonyms=pseudonyms)
    if as_json:
        result_json(asdict(quality))
    else:
        _show(quality)
    say(f"report: {opened.folder / 'collect' / 'quality.html'}")


@app.command("adjudicate")
def collect_adjudicate(
    recipe: RecipePath,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    top: Annotated[int, typer.Option(help="How many items, the most disputed first.", min=1)] = 20,
) -> None:
    """Show the most disputed items once more, in a queue of their own without a hint of the votes so far.

    One answer settles an item: the next `prefloop collect pull` takes it instead of the annotators' votes. Let somebody
    answer who has not voted on them; again with --top adds the next ones.
    """
    from ..loop import adjudicate, connect

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), connect(opened) as argilla, progress_bar("adjudicate") as progress:
        pushed = adjudicate(opened, settings, argilla, top, progress)
        say(f"queue {settings.collect.queue}.adjudication at {argilla.url}, workspace {settings.collect.workspace}")
    facts("To adjudicate", {"added": pushed.added, "already there": pushed.already_there})


def _show(quality: "Quality") -> None:
    from ..collect.quality.words import HEADLINES, percent

    result(f"{HEADLINES[quality.verdict]}. {quality.summary}")
    for line in quality.advice:
        result(f"- {line}")
    rows = [
        (
            row.annotator,
            row.votes,
            percent(row.agreement.value) if row.agreement else "",
            percent(row.first.value) if row.first else "",
            percent(row.longer.value) if row.longer else "",
            f"{row.speed.median:.0f}" if row.speed else "",
        )
        for row in quality.profiles
    ]
    table("Annotators", ("", "votes", "as the others", "first shown", "longer", "median seconds"), rows)
    cost = quality.ledger
    if cost.hours is not None:
        prices = {
            "labelling": f"{cost.hours:.1f} h, breaks left out",
            "a vote": f"{cost.per_vote:.2f} {quality.currency}" if cost.per_vote is not None else "no price per hour",
            "an accepted pair": f"{cost.per_pair:.2f} {quality.currency}" if cost.per_pair is not None else "",
        }
        facts("Cost", {name: value for name, value in prices.items() if value})

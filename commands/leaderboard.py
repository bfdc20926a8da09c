"""The verbs of the local leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import result, result_json, say, table
from .options import Json

app = typer.Typer(
    help="A local leaderboard over many runs: one page, and votes on what comes next.", no_args_is_help=True
)

Votes = Annotated[Path, typer.Option("--votes", help="The file of the votes.")]
VOTES = Path("leaderboard-votes.jsonl")
Sources = Annotated[
    list[Path],
    typer.Argument(help="Run folders, and what `bench tasks --json` wrote.", metavar="RUN...", show_default=False),
]


@app.command()
def build(
    runs: Sources,
    out: Annotated[Path, typer.Option("--out", help="The page; everything on it as JSON beside it.")] = Path(
        "leaderboard.html"
    ),
    votes: Votes = VOTES,
    as_json: Json = False,
) -> None:
    """Write the leaderboard: one page that needs no network, to search, filter and sort, also on a telephone.

    prefloop leaderboard build runs/* benchmarks.json --out leaderboard.html
    """
    from dataclasses import asdict

    from ..evaluate.standings import read_entries, read_votes, write_standings

    standing = read_entries(runs)
    page, beside = write_standings(out, standing, read_votes(votes))
    if as_json:
        result_json(asdict(standing))
    say(f"{len(standing.entries)} lines: {page}, {beside}")


@app.command()
def vote(
    name: Annotated[str, typer.Argument(help="The model that should be evaluated.", show_default=False)],
    by: Annotated[str, typer.Option("--by", help="Who votes.", show_default=False)],
    votes: Votes = VOTES,
) -> None:
    """Vote for a model to be evaluated next; each person has one vote a model."""
    from ..evaluate.standings import cast_vote

    say(f"{name}: {'voted' if cast_vote(votes, name, by) else f'{by} has voted for it before'}")


@app.command()
def queue(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="What these evaluated is left out.", metavar="RUN...", show_default=False),
    ] = None,
    votes: Votes = VOTES,
    as_json: Json = False,
) -> None:
    """Show which models people want evaluated, most votes first."""
    from dataclasses import asdict

    from ..evaluate.standings import read_entries, read_votes, waiting

    done = {entry.name for entry in read_entries(runs or []).entries}
    requests = waiting(read_votes(votes), done)
    if as_json:
        result_json([asdict(request) for request in requests])
    elif requests:
        rows = [(one.name, len(one.by), ", ".join(one.by), one.since[:10]) for one in requests]
        table("To be evaluated", ("model", "votes", "by", "since"), rows)
    else:
        result("nobody waits for a model")

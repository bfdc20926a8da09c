"""A catalogue of released models as a web site."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import progress_bar, result, say
from .search import Authors, Runs, shelves

app = typer.Typer(help="A web site of released models, without a server of its own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a command of its own: with one command only, typer would drop its name."""


@app.command()
def build(
    runs: Runs = [],  # noqa: B006  # typer reads the default, nobody changes it
    author: Authors = [],  # noqa: B006
    out: Annotated[Path, typer.Option("--out", help="The site's folder.")] = Path("site"),
    title: Annotated[str, typer.Option("--title", help="What the catalogue is called.")] = "Models",
    private: Annotated[
        bool, typer.Option("--private", help="Also show private repositories that your token may see.")
    ] = False,
) -> None:
    """Write a site: an index to search and filter, and a page for each model with its evidence and card.

    Open index.html as it is, or serve the folder from a static Space, GitHub Pages or any web server. Of releases on
    the Hub, card and report are fetched, no weights; private ones stay out unless you say --private.

    prefloop catalogue build --author acme --out site --title "Acme's models"
    """
    from ..publish.catalogue import gather, write_catalogue

    with progress_bar("cards") as progress:
        gathered = gather(shelves(runs, author), author, private=private, progress=progress)
    for row in gathered.unread:
        say(f"left out: {row.where}: {row.reason}")
    if gathered.private:
        say(f"left out: {len(gathered.private)} private ({', '.join(gathered.private)}); --private shows them")
    result(str(write_catalogue(out, gathered, title)))
    say(f"{len(gathered.items)} models, {len(gathered.unread) + len(gathered.private)} left out")

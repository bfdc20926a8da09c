"""Which release is there for a job?"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..console import result, result_json, say
from .options import Json

if TYPE_CHECKING:
    from ..publish.finding import Found, Hit

Runs = Annotated[
    list[Path],
    typer.Option(
        "--runs", help="A run, a release, or a folder of them; may be repeated.", metavar="FOLDER", show_default=False
    ),
]
Authors = Annotated[
    list[str],
    typer.Option(
        "--author",
        help="An organisation or user on the Hub; only card metadata is read. May be repeated.",
        metavar="ORG",
        show_default=False,
    ),
]
Verdicts = Literal["better", "worse", "can't tell yet"]
WIDTH = 110


def search(
    words: Annotated[str, typer.Argument(help="The job, in words.", show_default=False)] = "",
    runs: Runs = [],  # noqa: B006  # typer reads the default, nobody changes it
    author: Authors = [],  # noqa: B006
    base: Annotated[str | None, typer.Option(help="A part of the base model's name.", show_default=False)] = None,
    licence: Annotated[str | None, typer.Option("--license", help="As the Hub spells it.", show_default=False)] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Parameters at most: 500M, 1.7B.", metavar="SIZE", show_default=False)
    ] = None,
    language: Annotated[str | None, typer.Option(help="A language code, en.", show_default=False)] = None,
    verdict: Annotated[Verdicts | None, typer.Option(help="Against the base model.", show_default=False)] = None,
    min_score: Annotated[
        list[str],
        typer.Option(
            help="The lower end of a score's interval must reach this share; `difference` is that to the base.",
            metavar="METRIC=SHARE",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Find a released model for a job, by its card's words and its measured evidence.

    Looks into `runs/` unless told where. The order is by likeness of the words, not by scores: each release was
    measured on its own material. `prefloop try-out` compares candidates on yours.

    prefloop search "classify support mails" --author acme --max-size 500M --min-score task_check=0.7
    """
    from ..publish.finding import Filters, parse_min_score, parse_size, read_shelf
    from ..publish.finding import search as find

    filters = Filters(
        base=base,
        licence=licence,
        max_parameters=parse_size(max_size) if max_size else None,
        language=language,
        verdict=verdict,
        min_scores=tuple(map(parse_min_score, min_score)),
    )
    found = find(read_shelf(shelves(runs, author), author), words, filters)
    if as_json:
        result_json(_json(found))
    else:
        _show(found)


def shelves(runs: list[Path], author: list[str]) -> list[Path]:
    """Return where to look: in `runs/` where nothing is named."""
    return list(runs) or ([] if author else [Path("runs")])


def _show(found: "Found") -> None:
    from ..publish.finding.words import outcome

    for number, hit in enumerate(found.hits, 1):
        for line in _lines(number, hit):
            result(line)
        result("")
    for sentence in outcome(found):
        say(sentence)


def _lines(number: int, hit: "Hit") -> list[str]:
    from ..publish.finding.words import difference_words, model_words, overlap_words, score_words

    entry = hit.entry
    marks = (entry.release, "private" if entry.private else "", entry.updated[:10])
    task = textwrap.wrap(entry.block.task, WIDTH, max_lines=3, placeholder=" …") or ["(the card names no task)"]
    return [
        f"{number}. {entry.name}: {entry.block.verdict}   {'  '.join(filter(None, marks))}".rstrip(),
        *(f"   {line}" for line in task),
        f"   {score_words(entry.block.headline, entry.block.confidence)}",
        f"   {difference_words(entry)}; {overlap_words(entry.block.contamination)}",
        f"   {model_words(entry)}",
        f"   {entry.where}",
    ]


def _json(found: "Found") -> dict[str, Any]:
    from dataclasses import asdict

    hits = [{"likeness": hit.likeness, **hit.entry.row()} for hit in found.hits]
    return asdict(found) | {"hits": hits}

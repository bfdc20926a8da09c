"""From a published model back to the votes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import result, result_json, result_tree
from .options import Json

if TYPE_CHECKING:
    from rich.tree import Tree

    from ..publish.trace import Step, Trace

STYLES = {
    "verified": ("✓", "green"),
    "unchecked": ("? not checkable here:", "yellow"),
    "wrong": ("✗ WRONG:", "bold red"),
}


def trace(
    source: Annotated[
        str,
        typer.Argument(
            help="A run's folder, a release's folder, or org/name[@revision] on the Hub.", show_default=False
        ),
    ],
    pair: Annotated[
        str | None, typer.Option("--pair", help="Walk one pair to its votes; the start of its id is enough.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The data set's folder.", show_default="what the release names, or the run's own files"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Walk from a model back to the people: recipe, base, data set, pairs, votes, annotators' pseudonyms, writers.

    Every hash on the way is computed again, and the votes are added up again. What can't be checked on this machine is
    said to be so. Exit code 1 if anything is wrong.
    """
    from ..publish.trace import find_pairs, pair_step, trace_release

    found = trace_release(source, data=data)
    steps = (
        [pair_step(walk, found.texts) for walk in find_pairs(found.pairs, pair)] if pair is not None else [found.root]
    )
    marks = _marks(steps)
    if as_json:
        result_json(_row(found, steps, marks, pairs=pair is None))
    else:
        for step in steps:
            result_tree(_tree(step))
        result(", ".join(f"{count} {word}" for word, count in zip(WORDS, marks.values(), strict=True)))
    if marks["wrong"]:
        raise typer.Exit(1)


WORDS = ("verified", "not checkable here", "wrong")


def _marks(steps: "list[Step]") -> dict[str, int]:
    from ..publish.trace import count_marks

    counted = [count_marks(step) for step in steps]
    return {mark: sum(one[mark] for one in counted) for mark in ("verified", "unchecked", "wrong")}


def _row(found: "Trace", steps: "list[Step]", marks: dict[str, int], *, pairs: bool) -> dict[str, Any]:
    from pydantic import TypeAdapter

    from ..publish.trace import PairWalk, Step

    row: dict[str, Any] = {"name": found.name, "revision": found.revision, "folder": str(found.folder), "marks": marks}
    row["steps"] = TypeAdapter(list[Step]).dump_python(steps, mode="json")
    if pairs:
        row["pairs"] = TypeAdapter(tuple[PairWalk, ...]).dump_python(found.pairs, mode="json")
    return row


def _tree(step: "Step") -> "Tree":
    """Draw a step: facts, then checks, then what follows."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(step.title, "bold"), guide_style="dim")
    for name, value in step.facts.items():
        tree.add(Text.assemble((f"{name}: ", "dim"), str(value)))
    for check in step.checks:
        sign, style = STYLES[check.mark]
        tree.add(Text(f"{sign} {check.what}", style))
    for inner in step.steps:
        tree.children.append(_tree(inner))
    return tree

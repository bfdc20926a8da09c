"""What `prefloop train --dry-run` shows."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..console import facts, result, result_json, result_pieces, say

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..runs import Run
    from ..train.checks.preview import Preview, Token

STYLES = {"read": "dim", "cut": "red strike"}
BOUNDARY = ("", "underline")
"""Neighbouring tokens differ, so that one sees where one ends."""


def look(recipe: "Recipe", run: "Run", *, measure: bool, as_json: bool) -> None:
    """Show what a training would see and need; ends as a training would where it can't be done."""
    from ..loop import check_training

    found, settings = check_training(run, recipe, measure=measure)
    if as_json:
        result_json(found.as_json())
        found.preflight.require()
        return
    facts("What the training would see and need", dict(found.as_rows(settings)))
    if found.preview:
        _show(found.preview)
    for warning in found.warnings:
        say(f"warning: {warning}")
    found.preflight.require()


def _show(preview: "Preview") -> None:
    result(f"\nPair {preview.pair_id}, read but not scored ({len(preview.prompt)} tokens):")
    result_pieces(_pieces(preview.prompt, ""))
    for name, tokens, colour in (("+ chosen", preview.chosen, "green"), ("- rejected", preview.rejected, "yellow")):
        scored = [token for token in tokens if token.fate == "scored"]
        result(f"\n{name}, scored ({len(scored)} tokens):")
        result_pieces(_pieces(scored, colour))
        if len(scored) < len(tokens):
            result(f"  cut off by max_length ({len(tokens) - len(scored)} tokens):")
            result_pieces(_pieces(tokens[len(scored) :], ""))
    result("")


def _pieces(tokens: "Iterable[Token]", colour: str) -> Iterator[tuple[str, str]]:
    shown = (token for token in tokens if token.text)
    for number, (fate, text) in enumerate((token.fate, token.text) for token in shown):
        # A line break can't be underlined, and would take the mark off the next line.
        mark = BOUNDARY[number % 2] if text.strip() else ""
        yield text, f"{STYLES.get(fate, colour)} {mark}".strip()

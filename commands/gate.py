"""The verb that says whether a model may ship."""

from typing import TYPE_CHECKING

import typer

from ..console import result, result_json, table
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..runs import Run


def gate(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Judge a finished report by the recipe's gate (evaluate.gate), measuring nothing again; exit 1 if it stays shut.

    The rules may change from one judgement to the next, the report does not. What was decided is kept in gate.json.
    """
    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked():
        passed = decide(opened, settings, as_json=as_json)
    raise typer.Exit(0 if passed else 1)


def decide(run: "Run", recipe: "Recipe", *, as_json: bool = False) -> bool:
    """Judge the run's report, show why, and return whether it passes."""
    from dataclasses import asdict

    from ..evaluate.gates import COLUMNS, headline, rule_rows
    from ..loop.gating import gate_run

    found = gate_run(run, recipe)
    if as_json:
        result_json(asdict(found))
    else:
        table("Gate", COLUMNS, rule_rows(found))
        result(headline(found))
    return found.passed

"""The verb that says whether a model may ship."""

import typer

from ..console import result, result_json, table
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe


def gate(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Judge a finished report by the recipe's gate (evaluate.gate), measuring nothing again; exit 1 if it stays shut.

    The rules may change from one judgement to the next, the report does not. What was decided is kept in gate.json.
    """
    from dataclasses import asdict

    from ..evaluate.gates import COLUMNS, headline, rule_rows
    from ..loop.gating import gate_run

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked():
        found = gate_run(opened, settings)
    if as_json:
        result_json(asdict(found))
    else:
        table("Gate", COLUMNS, rule_rows(found))
        result(headline(found))
    raise typer.Exit(0 if found.passed else 1)

"""`prefloop collect check`: a look at the items before they are pushed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..console import facts, progress_bar, result_json, table
from .options import Json, Overrides, RecipePath

if TYPE_CHECKING:
    from ..loop import Checked

app = typer.Typer()

SHOWN = 20


@app.command("check")
def collect_check(recipe: RecipePath, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Look at the items before anyone labels them: near-duplicates, evaluation data, personal data.

    Writes nothing and needs no Argilla. Exit code 1 if a push would be blocked. Personal data (e-mail addresses, phone
    numbers, cards, IBANs, IP addresses, keys) are looked for with --set collect.pii=flag, and never shown.
    """
    from ..loop import check_items
    from ..recipe import load_recipe

    settings = load_recipe(recipe, overrides)
    with progress_bar("check") as progress:
        checked = check_items(settings, progress)
    result_json(asdict(checked)) if as_json else _show(checked)
    blocked = checked.overlaps and settings.collect.decontaminate.action == "block"
    if blocked or (checked.personal and settings.collect.pii == "block"):
        raise typer.Exit(1)


def _show(checked: "Checked") -> None:
    personal = checked.personal
    facts(
        "Items",
        {
            "items": checked.items,
            "prompts": checked.prompts,
            "prompts that belong with others": sum(map(len, checked.clusters)),
            "items in the evaluation data": len({row.id for row in checked.overlaps}),
            "evaluation texts": sum(checked.evaluation.values()),
            "items with personal data": "not looked for" if personal is None else len({row.id for row in personal}),
        },
    )
    if checked.clusters:
        table(
            "Prompts that stay on one side of the seal", ("prompts",), _some([[" ".join(c)] for c in checked.clusters])
        )
    if checked.overlaps:
        rows = [
            (row.id, row.part, row.kind, f"{row.share:.0%}", Path(row.file).name, row.row) for row in checked.overlaps
        ]
        table("In the evaluation data", ("item", "part", "how", "share", "file", "row"), _some(rows))
    if personal:
        table(
            "Personal data",
            ("item", "part", "kind", "times"),
            _some([(r.id, r.part, r.kind, r.count) for r in personal]),
        )


def _some(rows: Sequence[Sequence[object]]) -> list[Sequence[object]]:
    shown = list(rows[:SHOWN])
    rest = len(rows) - SHOWN
    return [*shown, (f"and {rest} more (--json shows all)", *[""] * (len(rows[0]) - 1))] if rest > 0 else shown

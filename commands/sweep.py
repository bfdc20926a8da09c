"""The verb that compares training settings."""

from enum import StrEnum
from typing import Annotated

import typer

from ..console import progress_bar, result, result_json, say, table
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe


class Split(StrEnum):
    """What settings are compared on."""

    held_out = "held-out"
    sealed = "sealed"


Over = Annotated[
    list[str],
    typer.Option(
        "--over",
        help="A setting's values, once for each setting: --over train.beta=0.05,0.1. Every combination is tried.",
        metavar="A.B=VALUE,VALUE",
        show_default="the recipe's `sweep`",
    ),
]


def sweep(
    recipe: RecipePath,
    over: Over = [],  # noqa: B006
    seeds: Annotated[
        int | None, typer.Option(help="Trainings of each setting.", min=1, show_default="the recipe's, or 3")
    ] = None,
    on: Annotated[
        Split, typer.Option(help="Compare on training prompts held out from all, or on the sealed set, opening it.")
    ] = Split.held_out,
    name: Annotated[str, typer.Option(help="Of the sweep: its folder is RUN/sweeps/NAME.", metavar="NAME")] = "main",
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Train several settings with several seeds each, and say which is better, or that one can't tell.

    All trainings share the base's weights and the reference's log-probabilities; with several GPUs they run side by
    side. Interrupt it whenever you like: the same command goes on. With other values, or more seeds, it adds them to
    what is trained already. `prefloop train` keeps to the recipe: write the setting you choose into it, in a run of its
    own.

    prefloop sweep recipe.yaml --over train.beta=0.05,0.1,0.5 --over train.learning_rate=1.0e-4,1.0e-3 --seeds 3
    """
    from dataclasses import asdict

    from ..evaluate.sweeps.page import COLUMNS, setting_row
    from ..evaluate.sweeps.words import caveats, summarise
    from ..loop import run_sweep, sweep_settings

    settings, opened = open_recipe(recipe, run, overrides)
    asked = sweep_settings(settings, over, seeds)
    with opened.locked(), progress_bar("sweep") as progress:
        found = run_sweep(opened, settings, asked, name=name, on=on.value, progress=progress)
    if as_json:
        result_json(asdict(found))
    else:
        pairs = f"{len(found.pair_ids)} {found.on} pairs on {found.prompts} prompts"
        table(f"Sweep {name}, on {pairs}", COLUMNS, [setting_row(found, one) for one in found.settings])
        result(summarise(found))
        for caveat in caveats(found):
            say(f"- {caveat}")
    say(f"report: {opened.folder / 'sweeps' / name / 'sweep.html'}")

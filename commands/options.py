"""What many commands take."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..evaluate import Subject
    from ..recipe import Recipe
    from ..runs import Run

RecipePath = Annotated[Path, typer.Argument(help="The recipe (YAML).", show_default=False)]
RunFolder = Annotated[Path | None, typer.Option("--run", help="The run's folder.", show_default="runs/<recipe's name>")]
Overrides = Annotated[
    list[str], typer.Option("--set", help="Change a setting: --set train.beta=0.2", metavar="A.B=VALUE")
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]


def open_recipe(
    path: Path, folder: Path | None, overrides: list[str], *, migrating: bool = False
) -> "tuple[Recipe, Run]":
    """Read the recipe and open its run, new or to be resumed."""
    from ..recipe import load_recipe, recipe_run

    recipe = load_recipe(path, overrides)
    return recipe, recipe_run(recipe, folder or Path("runs") / recipe.name, migrating=migrating)


def open_models(model: str, adapter: Path | None) -> "Subject":
    """Name a base model and what was tuned from it, if anything was."""
    from ..evaluate import open_subject
    from ..models import resolve_model

    return open_subject(resolve_model(model), adapter)

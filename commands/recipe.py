"""`prefloop recipe`: the recipes that ship, and other tools' recipes made into ours."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import result, result_json, say, table
from ..errors import Problems
from .options import Json

if TYPE_CHECKING:
    from ..published import Published

app = typer.Typer(
    help="Published recipes that ship with prefloop, and recipes of TRL and alignment-handbook made into prefloop's.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="As `prefloop recipe list` has it.", show_default=False)]


@app.command("list")
def recipe_list(as_json: Json = False) -> None:
    """Show the published recipes that ship with prefloop: what they train, with which numbers, and whose they are."""
    from ..published import published_recipes

    rows = [_row(recipe) for recipe in published_recipes()]
    if as_json:
        result_json(rows)
        return
    columns = ("name", "trains", "loss", "beta", "rate", "batch", "epochs")
    table("Recipes that ship with prefloop", columns, ([row[column] for column in columns] for row in rows))
    for row in rows:
        result(f"\n{row['name']}: {row['what']}\n  base: {row['base']}\n  published on: {row['hardware']}")
        result(f"  source: {row['source']}")
    say("\n`prefloop recipe show NAME` says what was translated; `prefloop recipe copy NAME FOLDER` makes it yours.")


@app.command()
def show(name: Name) -> None:
    """Print a shipped recipe: where it is from, what was translated, how it differs, how to run it."""
    from ..published import published_recipe

    result(published_recipe(name).text.rstrip())


@app.command()
def copy(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Where to; made if need be.")] = Path("."),
) -> None:
    """Write a shipped recipe to a folder as recipe.yaml, with the guidelines it names. Overwrites nothing."""
    from ..published import copy_published, published_recipe

    for path in copy_published(name, folder):
        result(str(path))
    say(f"\nNext, in {folder}:")
    for command in published_recipe(name).head["Run"].splitlines()[1:]:
        say(f"  {command}")


@app.command("import")
def recipe_import(
    file: Annotated[Path, typer.Argument(help="The other tool's YAML.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The recipe to write.")] = Path("recipe.yaml"),
    gpus: Annotated[int, typer.Option(help="GPUs that the file was made for: they multiply its batch.", min=1)] = 1,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Write it even if keys are lost.")] = False,
    as_json: Json = False,
) -> None:
    """Translate a DPO recipe of TRL, alignment-handbook or open-instruct, and say what became of every key.

    Reads the YAML with model_name_or_path, beta, dataset_mixture … under old and new names. Nothing is written if keys
    are not understood, or can't be had here although they change what is learned (exit 2), unless --keep-going.

    \b
    prefloop recipe import config_full.yaml --gpus 8 --out recipe.yaml
    """  # noqa: D301  # typer takes a backspace for "leave these lines as they are"
    from ..translate import in_words, translate_file, write_recipe

    found = translate_file(file, gpus=gpus)
    if as_json:
        result_json(asdict(found) | {"refused": [note.key for note in found.refused]})
    else:
        result("\n".join(in_words(found.notes)))
    for warning in found.warnings:
        say(f"warning: {warning}")
    if found.refused and not keep_going:
        named = [f"{note.key}: {note.why}" for note in found.refused]
        raise Problems(f"{file} can't be had as it is, and nothing was written (--keep-going writes the rest)", named)
    for path in write_recipe(found, out, source=file.name):
        say(f"written: {path}")
    say("Next:\n" + "\n".join(f"  {command.replace('RECIPE', str(out))}" for command in found.commands))


def _row(recipe: "Published") -> dict[str, Any]:
    train = recipe.recipe.train
    adapter = f"LoRA {train.lora_rank}" if train.use_peft else "all weights"
    return {
        "name": recipe.name,
        "base": train.base_model,
        "trains": f"{adapter}, {train.quantization}" if train.quantization else adapter,
        "loss": " + ".join(train.loss_type),
        "beta": train.beta,
        "rate": f"{train.learning_rate:g}",
        "batch": train.batch_size,
        "epochs": train.epochs,
        "what": recipe.head["What"],
        "hardware": recipe.head["Hardware"],
        "source": recipe.source,
    }

"""The run's trained model, given away in the form that others run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..collect import PreferencePair, find_sealed, read_pairs, refuse_sealed
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent
from .decontaminating import training_pairs
from .folder import base_model, collected_file, run_adapter

if TYPE_CHECKING:
    from ..publish.engines.export import Export
    from ..publish.engines.gguf import Quantisation


def read_run(folder: Path) -> tuple[Run, Recipe]:
    """Return a run that was begun, with the recipe that it was made by.

    Raises:
        UserError: it is no run, or of a recipe that this prefloop does not understand.
    """
    if not (folder / "recipe.json").exists():
        raise UserError(f"{folder} is no prefloop run: it has no recipe.json")
    try:
        return Run(folder), Recipe.model_validate(read_json(folder / "recipe.json"))
    except ValidationError as error:
        where = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise UserError(f"{folder} was made by another prefloop, with settings that are gone ({where})") from error


def export_run_model(
    folder: Path,
    *,
    quantisation: "Quantisation | None" = None,
    out: Path | None = None,
    converter: Path | None = None,
    pairs: Path | None = None,
    progress: Progress = silent,
) -> "Export":
    """Export a run's model; where no folder is named, into the run's own `export/`.

    It is compared with what was trained on the pairs in the file `pairs`, otherwise on pairs of the training. The
    sealed set stays shut: whether a file says what was trained does not depend on whether the pairs were seen.

    Raises:
        UserError: nothing is trained yet, or as `publish.engines.export.export_model`.
        Problems: sealed pairs are in the file.
    """
    from ..publish.engines.export import export_model

    run, recipe = read_run(folder)
    adapter = run_adapter(run)
    return export_model(
        adapter,
        base_model(recipe),
        _pairs(run, recipe, pairs),
        out or folder / "export" / (quantisation or "safetensors"),
        name=recipe.name,
        quantisation=quantisation,
        converter=converter,
        progress=progress,
    )


def _pairs(run: Run, recipe: Recipe, given: Path | None) -> Sequence[PreferencePair]:
    if given is None:
        return training_pairs(run, recipe)
    if not given.is_file():
        raise UserError(f"{given} is not there; --pairs takes a file as collect/pairs.jsonl")
    pairs = read_pairs(given)
    if not pairs:
        raise UserError(f"{given} has no pairs to compare on")
    refuse_sealed(pairs, find_sealed(collected_file(run, "")))
    return pairs

"""The run's votes and pairs as a data set that may be published."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from ..collect.data_card import ExportSettings
from ..collect.export import Exported
from ..collect.sealing.personal import NEEDED
from ..errors import Problems, UserError
from ..recipe import Recipe
from ..runs import Run, put_in_place
from .exporting import export_run


def write_data_release(run: Run, recipe: Recipe, folder: Path) -> Exported:
    """Write the folder that goes to the Hub as a data set, and look it through; an earlier one is replaced.

    Args:
        run: After a pull or an adoption.
        recipe: Its section `publish.data` gives licence, consent and parts.
        folder: Where it is written, whole or not at all.

    Raises:
        UserError: the recipe does not say that the votes may be published, or the folder holds something else.
        Problems: sealed pairs, a secret or a folder of this machine would be published, personal data where the recipe
            says to block, or what was written is no data set that the Hub reads.
    """
    from ..publish.checks.data_lint import lint_data
    from ..publish.redact import own_places, refuse_leaks

    said = recipe.publish.data
    if said is None:
        raise UserError(
            "the recipe does not say that the votes may be published: its section publish.data needs a license and a "
            "consent (`agreed`, `employees`, `own`, `public`, or a sentence)"
        )
    _refuse_strangers(folder)
    settings = ExportSettings(
        (said.repo or recipe.name).rpartition("/")[2],
        recipe.task,
        said.license,
        recipe.publish.languages,
        votes=said.votes,
        items=said.items,
        repo=said.repo or "",
        consent=said.consent,
    )
    partial = folder.absolute().with_name(f".{folder.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        written = export_run(run, _looking(recipe), partial, settings)
        refuse_leaks(partial, own_places(run.folder))
        if problems := lint_data(partial):
            raise Problems("the data set would not be read by others, so it was not written", problems)
        same = _same(partial, folder)
        if not same:
            put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(folder, written.version, written.rows, written.left_out, same)


def _looking(recipe: Recipe) -> Recipe:
    """Have personal data looked for where that can be done, even if nobody asked for it while the data stayed here."""
    if recipe.collect.pii != "off" or not all(find_spec(name) for name in NEEDED):
        return recipe
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"pii": "flag"})})


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "lineage.json").exists())):
        raise UserError(f"{folder} is no data set of prefloop's and will not be replaced; move it")


def _same(new: Path, old: Path) -> bool:
    """Whether both folders hold the same files with the same bytes."""
    return _contents(new) == _contents(old)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

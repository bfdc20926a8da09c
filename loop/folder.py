"""Where a run keeps what: the files of each phase, read by those that follow."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..collect import Item, read_items, read_side_key
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Run

if TYPE_CHECKING:
    from ..models import ModelFolder
    from ..train import Adapter


def collected_file(run: Run, name: str) -> Path:
    """Return the path of one of the collection's files."""
    return run.folder / "collect" / name


def read_run_items(run: Run) -> list[Item]:
    """Return the items that were pushed. Raises UserError before a push."""
    if not collected_file(run, "items.jsonl").exists():
        raise UserError(f"{run.folder} has no items yet; `prefloop collect push` comes first")
    return read_items(collected_file(run, "items.jsonl"))


def side_key(run: Run) -> bytes:
    """Return the key to which candidate was shown first."""
    return read_side_key(collected_file(run, "side_key"))


def run_of(model: Path) -> Path | None:
    """Return the folder of the run in which a model was trained, exported or released; None for any other model."""
    around = (model.parent, model.parent.parent)
    return next((path for path in around if (path / "recipe.json").exists() and (path / "collect").is_dir()), None)


def base_model(recipe: Recipe) -> "ModelFolder":
    """Return the base model's folder."""
    from ..models import resolve_model

    return resolve_model(recipe.train.base_model, revision=recipe.train.base_revision)


def run_adapter(run: Run) -> "Adapter":
    """Return the adapter. Raises UserError before a training."""
    from ..train import read_adapter

    folder = run.folder / "train" / "adapter"
    if not folder.exists():
        raise UserError(f"{run.folder} has no adapter yet; `prefloop train` comes first")
    return read_adapter(folder)

"""Training on the pairs that a pull has made."""

from typing import TYPE_CHECKING

from ..recipe import Recipe
from ..runs import Progress, Run, silent, timed
from .decontaminating import training_pairs
from .folder import base_model

if TYPE_CHECKING:
    from ..train import Adapter, Preflight


def check_training(run: Run, recipe: Recipe) -> "Preflight":
    """Look at settings, data and tokens as the training will see them; train nothing."""
    from ..models import load_tokenizer
    from ..train import preflight

    return preflight(training_pairs(run, recipe), recipe.train, load_tokenizer(base_model(recipe).path))


def train_adapter(run: Run, recipe: Recipe, progress: Progress = silent) -> "Adapter":
    """Train on the pairs that a pull has made."""
    from ..train import train_dpo

    with timed(run, "train") as summary:
        pairs = training_pairs(run, recipe)  # first: without them no model need be fetched
        base = base_model(recipe)
        adapter = train_dpo(pairs, recipe.train, base=base, folder=run.folder / "train", progress=progress)
        summary.append(f"{len(pairs)} pairs, {base.name} from the {base.source}")
    return adapter

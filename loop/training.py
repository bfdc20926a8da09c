"""Training on the pairs that a pull has made."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..collect import PreferencePair, originals, pairwise, read_sealed, read_votes
from ..recipe import Recipe
from ..runs import OnMetrics, Progress, Run, silent, timed, unheard
from .decontaminating import taken_out, training_rows
from .folder import base_model, collected_file, read_run_items
from .judging import gold_answers

if TYPE_CHECKING:
    from ..models import ModelFolder
    from ..train import Adapter, DryRun, TrainSettings


def measured_settings(run: Run, recipe: Recipe, pairs: Sequence[PreferencePair]) -> "TrainSettings":
    """Return the recipe's settings with what they leave to the run's votes: those on items that may be trained on.

    Raises:
        UserError: they say too little, or are as good as a coin's.
    """
    from ..train import measured
    from ..train.votes.reading import unmeasured

    if not unmeasured(recipe.train):
        return recipe.train
    gold, sealed = set(gold_answers(recipe.collect)), read_sealed(collected_file(run, "sealed.json"))
    items = [item for item in read_run_items(run) if sealed.side(item) == "training" and item.id not in gold]
    ours = {item.id for item in items}
    votes = [vote for vote in read_votes(collected_file(run, "votes.jsonl")) if vote.item_id in ours]
    return measured(recipe.train, pairs, pairwise(items, votes)[1], originals(items))


def check_training(run: Run, recipe: Recipe, *, measure: bool = False) -> "tuple[DryRun, TrainSettings]":
    """Look at settings, data, tokens, memory and time as the training will see them; train nothing.

    With `measure`, one step on the longest pairs is taken and thrown away.

    Raises:
        UserError: there are no pairs yet, or a setting does not fit the model.
        Problems: pairs are sealed or stand in the evaluation data.
    """
    from ..train import dry_run, load_training_tokenizer

    pairs = training_rows(run, recipe)
    settings, base = measured_settings(run, recipe, pairs), base_model(recipe)
    tokenizer, left_out = load_training_tokenizer(base, settings), taken_out(run)
    return dry_run(pairs, settings, base=base, tokenizer=tokenizer, left_out=left_out, measure=measure), settings


def train_adapter(run: Run, recipe: Recipe, progress: Progress = silent, on_metrics: OnMetrics = unheard) -> "Adapter":
    """Train on the pairs that a pull has made; one of several processes if a launcher started them.

    `on_metrics` is called with every row of the training's metrics.jsonl.

    Raises:
        UserError: there are no pairs yet, or the training can't be done (`train_dpo`).
        Problems: pairs are sealed or stand in the evaluation data, or the preflight found them unfit.
        Interrupted: a signal asked to stop.
    """
    from ..train import join_world, train_dpo

    world = join_world()

    def read() -> "tuple[list[PreferencePair], TrainSettings, ModelFolder]":
        pairs = training_rows(run, recipe)  # first: without them no model need be fetched
        return pairs, measured_settings(run, recipe, pairs), base_model(recipe)

    # The main process alone writes to the run folder.
    timing: AbstractContextManager[list[str]] = timed(run, "train") if world.main else nullcontext([])
    with timing as summary:
        pairs, settings, base = world.from_main(read)
        folder = run.folder / "train"
        adapter = train_dpo(pairs, settings, base=base, folder=folder, progress=progress, on_metrics=on_metrics)
        summary.append(f"{len(pairs)} pairs, {base.name} from the {base.source}")
    return adapter

"""Sweeps: settings compared on pairs that none of them was trained on."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, open_seal, read_pairs, read_sealed
from ..collect.item import content_hash
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, write_json
from ..train.sweep import Cell, Changes, SweepSettings, cells, read_over, swept_settings
from ..train.watching.held_out import DRAW, hold_out
from .decontaminating import training_pairs, training_ties
from .folder import base_model, collected_file
from .sweep_cells import Job, base_scores, pairs_hash, read_by, read_scores
from .sweep_workers import gpus, run_cells
from .training import measured_settings

if TYPE_CHECKING:
    from ..evaluate.estimate import LeftOut
    from ..evaluate.sweeps.measure import TrainedCell
    from ..evaluate.sweeps.result import On, Sweep
    from ..models import ModelFolder

FORMAT = 1
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class _Material:
    training: list[PreferencePair]
    measured: list[PreferencePair]
    left_out: "tuple[LeftOut, ...]"
    layers: int
    """Of the base."""


def sweep_settings(recipe: Recipe, over: Sequence[str], seeds: int | None) -> SweepSettings:
    """Return the recipe's sweep, or what `--over train.beta=0.05,0.1` options say instead of it.

    Raises:
        Problems: options that are not of this form.
    """
    asked = recipe.sweep
    if over:
        asked = asked.model_copy(update={"over": read_over(over), "combinations": ()})
    return asked if seeds is None else asked.model_copy(update={"seeds": seeds})


def run_sweep(
    run: Run,
    recipe: Recipe,
    sweep: SweepSettings,
    *,
    name: str = "main",
    on: "On" = "held-out",
    progress: Progress = silent,
) -> "Sweep":
    """Train every setting with every seed, measure all of them on the same pairs, and write the page.

    Called again after a kill it goes on; called with other values or more seeds it adds them to what there is.

    Args:
        run: With pairs from a pull.
        recipe: Its `train` is what the settings change.
        sweep: What to compare.
        name: Of the sweep, in the run's `sweeps` folder.
        on: Training prompts held out from every cell, or the sealed set, which is thereby opened.
        progress: Called with hundredths of trainings done, and of all.

    Raises:
        UserError: nothing to sweep over, no pairs to compare on, every training failed, or the name stands for a
            sweep of other things.
        Problems: settings that can't be swept or make no training.
        Interrupted: somebody asked to stop.
    """
    from ..evaluate.sweeps.page import write_sweep_page
    from ..evaluate.sweeps.result import write_sweep_json

    if not NAME.fullmatch(name):
        raise UserError(f"--name {name!r} must be lower-case letters, digits, dots and dashes: it names a folder")
    settings = swept_settings(recipe.train, sweep)
    folder, base = run.folder / "sweeps" / name, base_model(recipe)
    material = _material(run, recipe, sweep, on, base)
    manifest = _extended(folder / "manifest.json", _definition(recipe, sweep, on, base.sha256, material), settings)
    manifest["seeds"] = sorted({*manifest["seeds"], *(recipe.train.seed + number for number in range(sweep.seeds))})
    if "compiled" not in manifest:  # decided once: cells that are added must be computed as the others were
        manifest["compiled"] = _pays(recipe, manifest, material) or None
    write_json(folder / "manifest.json", manifest)
    job = Job(
        folder=folder,
        base=base,
        training=tuple(material.training),
        measured=tuple(material.measured),
        sealed=read_sealed(collected_file(run, "sealed.json")),
        batch_size=recipe.evaluate.batch_size,
        cells=tuple(
            _measured(run, recipe, material, cell, manifest["compiled"])
            for cell in cells(recipe.train, manifest["settings"], manifest["seeds"])
        ),
        long=_pays(recipe, manifest, material, times=2),
    )
    openings = _open(run, job, name) if on == "sealed" else 0
    run_cells(job, gpus(), progress)
    found = _result(job, recipe, name, on, openings, material.left_out)
    write_sweep_json(folder / "sweep.json", found)
    write_sweep_page(folder / "sweep.html", found)
    return found


def _material(run: Run, recipe: Recipe, sweep: SweepSettings, on: "On", base: "ModelFolder") -> _Material:
    from transformers import AutoConfig

    from ..evaluate.estimate import LeftOut
    from ..evaluate.likelihood import longest
    from ..train.rows import tokenise
    from ..train.template import load_training_tokenizer

    ties = training_ties(run, recipe) if collected_file(run, "ties.jsonl").exists() else []
    training = [*training_pairs(run, recipe), *ties]  # the split is the same whether or not a cell reads ties
    if on == "sealed":
        held = read_pairs(collected_file(run, "sealed_pairs.jsonl"))
    else:
        training, held = hold_out(training, sweep.held_out, DRAW)
    config = AutoConfig.from_pretrained(base.path).get_text_config()
    context = config.max_position_embeddings
    tokenizer = load_training_tokenizer(base, recipe.train)
    voted = {pair.id: pair for pair in held if pair.kind == "vote"}
    tokens = {pair_id: tokenise(pair, tokenizer) for pair_id, pair in voted.items()}
    long = [pair_id for pair_id, row in tokens.items() if longest(row) > context]
    empty = [pair_id for pair_id, row in tokens.items() if not row.chosen or not row.rejected]
    measured = [voted[pair_id] for pair_id in sorted(voted.keys() - {*long, *empty})]
    if len({pair.prompt_id for pair in measured}) < 2:
        raise UserError(
            f"only {len(measured)} of {len(held)} {on} pairs can be compared on: collect more prompts first"
        )
    twice = Counter(pair.id for pair in held if pair.kind == "vote")
    entries = (
        LeftOut("the same pair once more", tuple((twice - Counter(voted.keys())).elements())),
        LeftOut("ties and edits, between which nobody chose", tuple(row.id for row in held if row.kind != "vote")),
        LeftOut(f"pairs longer than the model's context of {context} tokens", tuple(long)),
        LeftOut("pairs with an answer of no tokens", tuple(empty)),
    )
    left_out = tuple(entry for entry in entries if entry.ids)
    return _Material(training, measured, left_out, config.num_hidden_layers)


def _measured(run: Run, recipe: Recipe, material: _Material, cell: Cell, compiled: bool | None) -> Cell:
    """Return the cell with what its settings leave to the run's votes, as `train_adapter` would have it, and to us."""
    own = recipe.model_copy(update={"train": cell.train})
    train = measured_settings(run, own, read_by(cell, material.training))
    if train.torch_compile is None:
        train = train.model_copy(update={"torch_compile": compiled})
    return replace(cell, train=train)


def _pays(recipe: Recipe, manifest: dict[str, Any], material: _Material, times: int = 1) -> bool:
    """Whether all trainings of the sweep together win back what compiling takes, so many times."""
    from ..train.speed.shortcuts import compiling_pays

    trainings = [cell.train for cell in cells(recipe.train, manifest["settings"], manifest["seeds"])]
    return not gpus() and compiling_pays(trainings, material.layers, len(material.training) // times)


def _definition(recipe: Recipe, sweep: SweepSettings, on: "On", base: str, material: _Material) -> dict[str, Any]:
    """Return what stays as it is for the whole life of a sweep."""
    return {
        "format": FORMAT,
        "on": on,
        "held_out": sweep.held_out if on == "held-out" else None,
        "base": base,
        "training pairs": pairs_hash(material.training),
        "measured pairs": pairs_hash(material.measured),
        "train": recipe.train.model_dump(mode="json"),
    }


def _extended(path: Path, definition: dict[str, Any], settings: Sequence[Changes]) -> dict[str, Any]:
    """Return the manifest with further settings. Raises UserError where it is one of another sweep."""
    if not path.exists():
        return definition | {"settings": list(settings), "seeds": []}
    known = read_json(path)
    other = [key for key, value in definition.items() if known.get(key) != value]
    if other:
        raise UserError(
            f"the sweep in {path.parent} is about something else (changed: {', '.join(other)}); "
            "settings and seeds can be added to it, for anything else give --name another one"
        )
    added = [one for one in settings if one not in known["settings"]]
    # Sweeps from before it was decided for all cells together left it to each.
    return {"compiled": None, **known, "settings": [*known["settings"], *added]}


def _open(run: Run, job: Job, name: str) -> int:
    shown = content_hash([[job.identity(cell) for cell in job.cells]])
    reason = f"sweep {name} of {len(job.cells)} trainings ({shown}) on {len(job.measured)} pairs"
    return open_seal(collected_file(run, "sealed.json"), reason)


def _trained(cell: Cell, record: dict[str, Any]) -> "TrainedCell":
    from ..evaluate.sweeps.measure import TrainedCell

    return TrainedCell(
        changes=cell.changes,
        setting=cell.setting,
        seed=cell.train.seed,
        reference=read_scores(record["reference"]),
        scores=read_scores(record["scores"]),
        seconds=record["seconds"],
        steps=record["steps"],
        adapter_sha256=record["adapter_sha256"],
    )


def _result(job: Job, recipe: Recipe, name: str, on: "On", openings: int, left_out: "tuple[LeftOut, ...]") -> "Sweep":
    from ..evaluate.statistics import Plan
    from ..evaluate.sweeps.measure import Measured, measure_sweep
    from ..train.scale.sharing import SharedBase

    records = [(cell, job.done(cell)) for cell in job.cells]
    failed = {cell.name: read_json(job.failed(cell))["why"] for cell, record in records if not record}
    trained = [_trained(cell, record) for cell, record in records if record]
    if not trained:
        raise UserError(f"every training of the sweep failed; the first: {next(iter(failed.values()))}")
    measured = Measured(
        name=name,
        on=on,
        openings=openings,
        training_pairs=len(job.training),
        pairs=job.measured,
        base=base_scores(job, SharedBase(job.base)),
        left_out=left_out,
        train=recipe.train.model_dump(mode="json"),
    )
    settings = recipe.evaluate
    return measure_sweep(measured, trained, failed, Plan(settings.bootstrap, settings.confidence, settings.seed))

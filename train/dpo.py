"""Direct Preference Optimization (Rafailov et al. 2023) with LoRA: pairs in, an adapter folder out.

A training's folder:

    preflight.json    what was found in the data
    data.json         what went in: the ids of all pairs, their hash, the counts
    metrics.jsonl     one row a step, under TRL's names
    checkpoints/      while it runs; a killed training resumes from here
    adapter/          the result: weights, tokenizer, chat template, lineage (prefloop.json)
"""

import logging
import math
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, Sealed, find_sealed, refuse_sealed
from ..models import ModelFolder, load_tokenizer
from ..runs import Progress, read_json, read_lines, silent, write_json
from .adapter import Adapter, adapter_sha256, read_adapter, same_record, write_record
from .checkpoints import cut_metrics, last_whole, step_of
from .interruptions import Stop, stepping, stop_between_steps, stoppable
from .mishaps import mishaps_told, refuse_no_numbers, require_space
from .policy import LoadPolicy, load_policy
from .preflight import Preflight, preflight
from .rows import data_sha256, in_training_order, manifest
from .settings import TrainSettings
from .sharding import whole_weights
from .surroundings import quiet_libraries, refuse_missing_packages, trackers
from .world import join_world, refuse_lone_process_with_many_gpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer

log = logging.getLogger(__name__)

TRAIN_PASSES = 3
"""What training on a pair costs in forward passes, for an even progress bar: the reference pass counts one."""


@dataclass(frozen=True, slots=True)
class _Trained:
    """What the loop itself took."""

    steps: int
    seconds: float
    pairs_per_second: float


def train_dpo(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    folder: Path,
    progress: Progress = silent,
    resume: bool = True,
    sealed: Sealed | None = None,
    load: LoadPolicy = load_policy,
) -> Adapter:
    """Train a LoRA adapter on the pairs with TRL's DPOTrainer, and write it with its lineage to `folder`/adapter.

    The same pairs, settings and base give the same weights on the same machine, in whatever order the pairs come and
    however often the process was killed in between, in one process or in several (`train/world.py`). With `resume`, a finished adapter of the same training is returned
    as it is, and an unfinished one goes on from its last whole checkpoint; without, all of it starts anew.

    Sealed pairs are refused: those that are marked so, and those whose prompt is in the sealed set (`sealed`, or that
    of the run that `folder` lies in) or near to it.

    `load` brings the model; several trainings on one base can share it (`train/sharing.py`).

    Raises:
        Problems: sealed pairs are among these, the preflight found the data unfit, or packages are missing.
        UserError: a setting does not fit the model, disk or memory are too small, or a loss is no number.
        Interrupted: a signal asked to stop, and the training did so between two steps.
    """
    world = join_world()
    refuse_missing_packages(settings)
    refuse_lone_process_with_many_gpus()
    ordered, tokenizer = in_training_order(pairs), load_tokenizer(base.path)
    identity = {
        "settings": settings.model_dump(mode="json"),
        "base_sha256": base.sha256,
        "data_sha256": data_sha256(ordered),
    }

    def prepare() -> Preflight | None:
        refuse_sealed(pairs, sealed or find_sealed(folder))
        return _prepare(ordered, settings, tokenizer, folder, identity, resume)

    checked = world.from_main(prepare)
    if checked is None:
        log.info("%s is already trained on these pairs with these settings", folder / "adapter")
        return read_adapter(folder / "adapter")
    tracking = trackers(settings, folder, identity) if world.main else nullcontext()
    with quiet_libraries(), tracking, mishaps_told(folder, settings), stoppable() as stop:
        return _train(ordered, settings, base, folder, tokenizer, checked, identity, load, progress, stop)


def _prepare(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    identity: dict[str, Any],
    resume: bool,
) -> Preflight | None:
    """Look at the data and make the folder ready; None if all of it is trained already."""
    checked = preflight(pairs, settings, tokenizer)
    write_json(folder / "preflight.json", checked.as_json())
    checked.require()
    for warning in checked.warnings:
        log.warning("%s", warning)
    if resume and same_record(folder / "adapter", identity):
        return None
    if (folder / "adapter").exists():
        log.warning("%s is replaced", folder / "adapter")
        shutil.rmtree(folder / "adapter")
    if not resume:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    write_json(folder / "data.json", manifest(pairs, checked.findings["dropped"]))
    return checked


def _train(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    base: ModelFolder,
    folder: Path,
    tokenizer: "PreTrainedTokenizerBase",
    checked: Preflight,
    identity: dict[str, Any],
    load: LoadPolicy,
    progress: Progress,
    stop: Stop,
) -> Adapter:
    from .reference import cache_reference
    from .trainer import build_trainer
    from .watching import watch

    world, checkpoints, metrics = join_world(), folder / "checkpoints", folder / "metrics.jsonl"
    trainer = build_trainer(
        pairs, settings, base=base, tokenizer=tokenizer, checkpoints=checkpoints, longest=checked.longest, load=load
    )
    start, work = time.monotonic(), checked.kept * (1 + TRAIN_PASSES * settings.epochs)

    def reference(done: int, total: int) -> None:
        progress(done, work)

    def step(done: int, total: int) -> None:
        progress(checked.kept + round((work - checked.kept) * done / total), work)

    cache_reference(trainer, settings.in_memory, reference)

    watch(trainer, metrics, identity, step)
    refuse_no_numbers(trainer, settings, world)
    stop_between_steps(trainer, stop, world)

    def go_on_from() -> Path | None:
        require_space(trainer, folder)
        last = last_whole(checkpoints, identity)
        cut_metrics(metrics, step_of(last) if last else 0)
        return last

    from_checkpoint = world.from_main(go_on_from)
    with stepping(stop):
        trained = _run(trainer, from_checkpoint, settings, checked.kept, start)
    stop.require_going_on(trainer.state.max_steps)
    weights = whole_weights(trainer)
    adapter = world.from_main(lambda: _save(trainer, weights, settings, base, folder, identity, trained, checked.kept))
    if world.main:
        shutil.rmtree(checkpoints)
    return adapter


def _run(
    trainer: "DPOTrainer", from_checkpoint: Path | None, settings: TrainSettings, pairs: int, start: float
) -> _Trained:
    begun, first = time.monotonic(), step_of(from_checkpoint) if from_checkpoint else 0
    if from_checkpoint:
        log.info("resuming from step %d", first)
    trainer.train(resume_from_checkpoint=str(from_checkpoint) if from_checkpoint else None)
    now, steps = time.monotonic(), trainer.state.global_step
    seen = pairs * settings.epochs * (steps - first) / steps
    return _Trained(steps, round(now - start, 1), round(seen / (now - begun), 3))


def _save(
    trainer: "DPOTrainer",
    weights: dict[str, Any] | None,
    settings: TrainSettings,
    base: ModelFolder,
    folder: Path,
    identity: dict[str, Any],
    trained: _Trained,
    pairs: int,
) -> Adapter:
    partial, final = folder / ".adapter.partial", folder / "adapter"
    shutil.rmtree(partial, ignore_errors=True)
    trainer.model.save_pretrained(partial, state_dict=weights, save_embedding_layers=False)
    trainer.processing_class.save_pretrained(partial)
    (partial / "README.md").unlink(missing_ok=True)  # PEFT's blank card
    _name_base(partial / "adapter_config.json", base)
    adapter = Adapter(
        path=partial,
        base_name=base.name,
        base_revision=base.revision,
        base_sha256=base.sha256,
        data_sha256=identity["data_sha256"],
        sha256=adapter_sha256(partial),
        settings=settings,
        pairs=pairs,
        steps=trained.steps,
        seconds=trained.seconds,
        pairs_per_second=trained.pairs_per_second,
        metrics=_last_epoch(folder / "metrics.jsonl", trained.steps, math.ceil(pairs / settings.batch_size)),
        versions={name: version(name) for name in ("prefloop", "trl", "transformers", "peft", "torch", "accelerate")},
    )
    write_record(adapter)
    partial.rename(final)
    return replace(adapter, path=final)


def _name_base(config: Path, base: ModelFolder) -> None:
    """Name the base as the user did, not by a path on this machine; sort what PEFT writes in a set's random order."""
    written = read_json(config)
    written["base_model_name_or_path"] = base.name
    written["revision"] = base.revision if base.source == "hub" else None
    if isinstance(written["target_modules"], list):
        written["target_modules"].sort()
    write_json(config, written)


def _last_epoch(metrics: Path, steps: int, steps_per_epoch: int) -> dict[str, float]:
    rows = [row for row in read_lines(metrics) if row["step"] > steps - steps_per_epoch]
    names = [name for name in rows[-1] if name not in {"step", "epoch", "learning_rate"}]
    return {name: round(sum(row[name] for row in rows) / len(rows), 6) for name in names}

"""Direct Preference Optimization (Rafailov et al. 2023) with LoRA: pairs in, an adapter folder out.

A training's folder:

    preflight.json    what was found in the data
    data.json         what went in: the ids of all pairs, their hash, the counts
    metrics.jsonl     one row a step, under TRL's names; those of held-out pairs start with eval_
    checks.json       that the first step began at the reference, that all moved, that what was saved says the same
    alarms.json       what went wrong on the way, in plain words
    checkpoints/      while it runs; a killed training resumes from here
    sft/              the supervised stage, if there is one (train/warm_start.py)
    adapter/          the result: weights, tokenizer, chat template, lineage (prefloop.json); with use_peft false it
                      holds a whole model
"""

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair, Sealed, find_sealed, refuse_sealed
from ..models import ModelFolder
from ..runs import OnMetrics, Progress, silent, unheard, write_json
from .adapter import Adapter, read_adapter, same_record
from .checkpoints import cut_metrics, last_whole, step_of
from .checks.first_step import check_first_step
from .checks.fit import check_fit
from .checks.kept import keep_first_step, keep_moved
from .checks.measure import tell_after_first_step
from .checks.moved import checksums, look_what_moved
from .checks.preflight import Preflight, preflight
from .continuing import base_adapter_sha256, forget_reference
from .job import Job
from .policy import LoadPolicy, load_policy
from .result import Trained, save_result
from .rows import data_sha256, in_training_order, manifest
from .scale.interruptions import Stop, stepping, stop_between_steps, stoppable
from .scale.mishaps import mishaps_told, refuse_no_numbers, require_space
from .scale.sharding import refuse_other_sharding, whole_weights
from .scale.world import join_world, refuse_lone_process_with_many_gpus, tell_repeated
from .settings import TrainSettings
from .sft import Demonstration, demonstrations_sha256, read_demonstrations
from .speed.shortcuts import compile_layers
from .surroundings import quiet_libraries, refuse_missing_packages, trackers
from .template import load_training_tokenizer, template_sha256
from .votes.reading import refuse_unread
from .warm_start import warm_start
from .watching.callback import TRAIN_PASSES, Watching, watch
from .watching.held_out import Split, split
from .watching.held_out_scores import HeldOutScores
from .watching.stopping import best_folder, restore_weights, stopping

if TYPE_CHECKING:
    from trl import DPOTrainer

log = logging.getLogger(__name__)


def train_dpo(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    folder: Path,
    progress: Progress = silent,
    on_metrics: OnMetrics = unheard,
    resume: bool = True,
    sealed: Sealed | None = None,
    demonstrations: Sequence[Demonstration] | None = None,
    load: LoadPolicy = load_policy,
) -> Adapter:
    """Train on the pairs with TRL's DPOTrainer, and write the result with its lineage to `folder`/adapter.

    The same pairs, settings and base give the same weights on the same machine, in whatever order the pairs come and
    however often the process was killed in between. With `resume`, a finished adapter of the same training is returned
    as it is, and an unfinished one goes on from its last whole checkpoint; without, all of it starts anew. Several
    processes train as one (`train/scale/world.py`).

    Some pairs are held out (`settings.held_out`): they tell how the training goes, and are never trained on.
    `on_metrics` is called with every row of metrics.jsonl; `load` brings the model, which trainings can share
    (`train/scale/sharing.py`).

    Sealed pairs are refused: those that are marked so, and those whose prompt is in the sealed set (`sealed`, or that
    of the run that `folder` lies in) or near to it.

    `demonstrations` are what the supervised stage learns from (`settings.sft`); without them it reads its own file, or
    takes the chosen answers. They are refused like pairs, and those on held-out prompts are left out.

    Raises:
        Problems: sealed pairs are among these, the preflight found the data unfit, or packages are missing.
        UserError: a setting does not fit the model, disk or memory are too small, or a loss is no number.
        Interrupted: a signal asked to stop, and the training did so between two steps.
    """
    refuse_lone_process_with_many_gpus()
    world = join_world()
    if demonstrations is None and settings.sft and settings.sft.data:
        demonstrations = read_demonstrations(settings.sft.data)
    world.from_main(lambda: _refuse_sealed(pairs, demonstrations or (), sealed or find_sealed(folder)))
    refuse_missing_packages(settings)
    ordered = in_training_order(pairs)
    job = Job(
        settings=settings,
        base=base,
        tokenizer=load_training_tokenizer(base, settings),
        folder=folder,
        identity=_identity(ordered, demonstrations, settings, base),
        load=load,
        on_metrics=on_metrics,
    )
    prepared = world.from_main(lambda: _prepare(ordered, job, resume))
    if prepared is None:
        log.info("%s is already trained on these pairs with these settings", folder / "adapter")
        return read_adapter(folder / "adapter")
    checked, parts = prepared
    tracking = trackers(settings, folder, job.identity) if world.main else nullcontext()
    with quiet_libraries(), tracking, mishaps_told(folder, settings), stoppable() as stop:
        start, progress = warm_start(demonstrations, parts, job, progress, stop)
        return _train(job, checked, parts, start, progress, stop)


def _refuse_sealed(
    pairs: Sequence[PreferencePair], demonstrations: Sequence[Demonstration], sealed: Sealed | None
) -> None:
    refuse_sealed(pairs, sealed)
    refuse_sealed([shown.as_pair() for shown in demonstrations], sealed)


def _identity(
    pairs: Sequence[PreferencePair],
    demonstrations: Sequence[Demonstration] | None,
    settings: TrainSettings,
    base: ModelFolder,
) -> dict[str, Any]:
    return {
        "settings": settings.model_dump(mode="json"),
        "base_sha256": base.sha256,
        "base_adapter_sha256": base_adapter_sha256(settings, base),
        "chat_template_sha256": template_sha256(settings),
        "data_sha256": data_sha256(pairs, settings),
        "sft_data_sha256": demonstrations_sha256(demonstrations) if demonstrations else None,
    }


def _prepare(pairs: Sequence[PreferencePair], job: Job, resume: bool) -> tuple[Preflight, Split] | None:
    """Look at the data and make the folder ready; None if all of it is trained already."""
    settings, folder = job.settings, job.folder
    refuse_unread(pairs, settings)
    checked = preflight(pairs, settings, job.tokenizer, base=job.base.path)
    write_json(folder / "preflight.json", checked.as_json())
    checked.require()
    if resume and same_record(folder / "adapter", job.identity):
        return None
    for warning in (*checked.warnings, *check_fit(job.base.path, settings, checked.longest).warnings):
        log.warning("%s", warning)
    parts = split(pairs, settings.held_out)
    if (folder / "adapter").exists():
        log.warning("%s is replaced", folder / "adapter")
        shutil.rmtree(folder / "adapter")
    if not resume:
        shutil.rmtree(job.checkpoints, ignore_errors=True)
    held_out = {"held_out": [pair.id for pair in parts.held_out]}
    write_json(folder / "data.json", manifest(pairs, checked.findings["dropped"], settings) | held_out)
    return checked, parts


def _train(
    job: Job, checked: Preflight, parts: Split, start_from: Path | None, progress: Progress, stop: Stop
) -> Adapter:
    """Train by DPO, from the base or from what a supervised stage has left in `start_from`."""
    from .speed.reference import cache_reference, reference_weights
    from .trainer import build_trainer

    world, settings, folder = join_world(), job.settings, job.folder
    trainer = build_trainer(
        parts.training,
        settings,
        base=job.base,
        tokenizer=job.tokenizer,
        checkpoints=job.checkpoints,
        longest=checked.longest,
        load=job.load,
        start=start_from,
    )
    begun = time.monotonic()
    compiled = compile_layers(trainer, settings)
    reference, step = _shares(progress, len(trainer.train_dataset), settings.epochs)
    weights = reference_weights(job.base, settings, start_from)
    cache_reference(trainer, settings.in_memory, reference, weights=weights, compiled=compiled)
    held_out = _held_out(trainer, parts, job)
    stop_between_steps(trainer, stop, world)
    tell_repeated(trainer, world)
    from_checkpoint = world.from_main(lambda: _go_on_from(trainer, job))
    if not from_checkpoint:
        first = check_first_step(trainer, settings, compiled=compiled)
        world.from_main(lambda: keep_first_step(folder, first))
    if settings.use_peft:
        forget_reference(trainer)
    watching = watch(
        trainer, settings, folder, identity=job.identity, held_out=held_out, step=step, on_metrics=job.on_metrics
    )
    refuse_no_numbers(trainer, settings, world)
    tell_after_first_step(trainer, checked.tokens)
    before = checksums(trainer)
    with stepping(stop):
        trained = _run(trainer, from_checkpoint, job, begun, watching)
    stop.require_going_on(trainer.state.max_steps)
    if trained.stopping:
        restore_weights(trainer, best_folder(job.checkpoints, trained.stopping.best_step))
    moved = look_what_moved(trainer, before)
    world.from_main(lambda: keep_moved(folder, moved, trained.steps))
    return _finish(trainer, job, trained, step)


def _finish(trainer: "DPOTrainer", job: Job, trained: Trained, step: Progress) -> Adapter:
    world, weights = join_world(), whole_weights(trainer)
    adapter = world.from_main(lambda: save_result(trainer, weights, job, trained))
    if world.main:
        shutil.rmtree(job.checkpoints)
    step(1, 1)
    return adapter


def _go_on_from(trainer: "DPOTrainer", job: Job) -> Path | None:
    require_space(trainer, job.folder)
    last = last_whole(job.checkpoints, job.identity)
    if last:
        refuse_other_sharding(trainer, last)
    cut_metrics(job.folder / "metrics.jsonl", step_of(last) if last else 0)
    return last


def _shares(progress: Progress, pairs: int, epochs: int) -> tuple[Progress, Progress]:
    """Return what the reference pass and the steps report to, so that one bar grows evenly over both."""
    work = pairs * (1 + TRAIN_PASSES * epochs)

    def reference(done: int, total: int) -> None:
        progress(done, work)

    def step(done: int, total: int) -> None:
        progress(pairs + round((work - pairs) * done / total), work)

    return reference, step


def _held_out(trainer: "DPOTrainer", parts: Split, job: Job) -> HeldOutScores | None:
    if not parts.measured:
        return None
    log.info("%d pairs are held out to watch the training by", len(parts.held_out))
    return HeldOutScores(
        trainer,
        parts.measured,
        parts.clusters,
        job.tokenizer,
        batch_size=job.settings.in_memory,
        max_length=job.settings.max_length,
    )


def _run(trainer: "DPOTrainer", from_checkpoint: Path | None, job: Job, start: float, watching: Watching) -> Trained:
    """Take the steps that are left; `start` is when the reference pass began, by the monotonic clock."""
    begun, first, settings = time.monotonic(), step_of(from_checkpoint) if from_checkpoint else 0, job.settings
    if from_checkpoint:
        log.info("resuming from step %d", first)
    if not watching.over:  # by the held-out pairs, and killed before its weights were saved
        trainer.train(resume_from_checkpoint=str(from_checkpoint) if from_checkpoint else None)
    watching.finish()
    now, steps, patience = time.monotonic(), max(first, trainer.state.global_step), settings.held_out.patience
    stopped = stopping(watching.measured, patience) if patience and watching.measured else None
    pairs = len(trainer.train_dataset)
    return Trained(
        pairs=pairs,
        steps=steps,
        seconds=round(now - start, 1),
        pairs_per_second=round(min((steps - first) * settings.batch_size, pairs * settings.epochs) / (now - begun), 3),
        stopping=stopped,
        held_out=watching.held_out_at(stopped.best_step if stopped else steps),
    )

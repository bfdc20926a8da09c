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
from ..models import ModelFolder
from ..runs import OnMetrics, Progress, read_lines, silent, unheard, write_json
from .adapter import Adapter, adapter_sha256, read_adapter, same_record, write_record
from .checkpoints import cut_metrics, last_whole, step_of
from .checks import keep_first_step, keep_moved, keep_read_back
from .continuing import base_adapter_sha256, forget_reference
from .first_step import check_first_step
from .fit import check_fit
from .held_out import Split, split
from .held_out_scores import HeldOutScores
from .interruptions import Stop, stepping, stop_between_steps, stoppable
from .measure import tell_after_first_step
from .mishaps import mishaps_told, refuse_no_numbers, require_space
from .moved import checksums, look_what_moved
from .policy import LoadPolicy, load_policy
from .preflight import Preflight, preflight
from .read_back import read_back
from .rows import data_sha256, in_training_order, manifest
from .saving import write_weights
from .settings import TrainSettings
from .sft import Demonstration, demonstrations_sha256, read_demonstrations
from .sharding import refuse_other_sharding, whole_weights
from .shortcuts import compile_layers
from .stopping import Stopping, best_folder, restore_weights, stopping
from .surroundings import quiet_libraries, refuse_missing_packages, trackers
from .template import load_training_tokenizer, template_sha256
from .votes import refuse_unread
from .warm_start import refuse_sealed_demonstrations, warm_start
from .watching import SPEED, TRAIN_PASSES, Watching, watch
from .world import join_world, refuse_lone_process_with_many_gpus, tell_repeated

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Trained:
    """What the loop itself took."""

    steps: int
    seconds: float
    pairs_per_second: float
    stopping: Stopping | None
    held_out: dict[str, float]


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
    processes train as one (`train/world.py`).

    Some pairs are held out (`settings.held_out`): they are never trained on, and tell how the training goes.
    `on_metrics` is called with every row of metrics.jsonl.

    Sealed pairs are refused: those that are marked so, and those whose prompt is in the sealed set (`sealed`, or that
    of the run that `folder` lies in) or near to it.

    `demonstrations` are what the supervised stage learns from (`settings.sft`); without them it reads its own file, or
    takes the chosen answers. They are refused like pairs, and those on held-out prompts are left out.

    `load` brings the model; several trainings on one base can share it (`train/sharing.py`).

    Raises:
        Problems: sealed pairs are among these, the preflight found the data unfit, or packages are missing.
        UserError: a setting does not fit the model, disk or memory are too small, or a loss is no number.
        Interrupted: a signal asked to stop, and the training did so between two steps.
    """
    world = join_world()
    refuse_missing_packages(settings)
    refuse_lone_process_with_many_gpus()
    ordered, tokenizer = in_training_order(pairs), load_training_tokenizer(base, settings)
    if demonstrations is None and settings.sft and settings.sft.data:
        demonstrations = read_demonstrations(settings.sft.data)
    identity = {
        "settings": settings.model_dump(mode="json"),
        "base_sha256": base.sha256,
        "base_adapter_sha256": base_adapter_sha256(settings, base),
        "chat_template_sha256": template_sha256(settings),
        "data_sha256": data_sha256(ordered, settings),
        "sft_data_sha256": demonstrations_sha256(demonstrations) if demonstrations else None,
    }

    def prepare() -> tuple[Preflight, Split] | None:
        refuse_sealed(pairs, sealed or find_sealed(folder))
        refuse_sealed_demonstrations(demonstrations or (), sealed or find_sealed(folder))
        refuse_unread(pairs, settings)
        return _prepare(ordered, settings, base, tokenizer, folder, identity, resume)

    prepared = world.from_main(prepare)
    if prepared is None:
        log.info("%s is already trained on these pairs with these settings", folder / "adapter")
        return read_adapter(folder / "adapter")
    tracking = trackers(settings, folder, identity) if world.main else nullcontext()
    with quiet_libraries(), tracking, mishaps_told(folder, settings), stoppable() as stop:
        start, progress = warm_start(
            demonstrations,
            prepared[1],
            settings,
            base=base,
            tokenizer=tokenizer,
            folder=folder / "sft",
            identity=identity,
            progress=progress,
            stop=stop,
        )
        return _train(*prepared, settings, base, folder, tokenizer, identity, load, start, progress, on_metrics, stop)


def _prepare(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    base: ModelFolder,
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    identity: dict[str, Any],
    resume: bool,
) -> tuple[Preflight, Split] | None:
    """Look at the data and make the folder ready; None if all of it is trained already."""
    checked = preflight(pairs, settings, tokenizer, base=base.path)
    write_json(folder / "preflight.json", checked.as_json())
    checked.require()
    if resume and same_record(folder / "adapter", identity):
        return None
    for warning in (*checked.warnings, *check_fit(base.path, settings, checked.longest).warnings):
        log.warning("%s", warning)
    parts = split(pairs, settings.held_out)
    if (folder / "adapter").exists():
        log.warning("%s is replaced", folder / "adapter")
        shutil.rmtree(folder / "adapter")
    if not resume:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    held_out = {"held_out": [pair.id for pair in parts.held_out]}
    write_json(folder / "data.json", manifest(pairs, checked.findings["dropped"], settings) | held_out)
    return checked, parts


def _train(
    checked: Preflight,
    parts: Split,
    settings: TrainSettings,
    base: ModelFolder,
    folder: Path,
    tokenizer: "PreTrainedTokenizerBase",
    identity: dict[str, Any],
    load: LoadPolicy,
    start_from: Path | None,
    progress: Progress,
    on_metrics: OnMetrics,
    stop: Stop,
) -> Adapter:
    from .reference import cache_reference, reference_weights
    from .trainer import build_trainer

    world, checkpoints = join_world(), folder / "checkpoints"
    trainer = build_trainer(
        parts.training,
        settings,
        base=base,
        tokenizer=tokenizer,
        checkpoints=checkpoints,
        longest=checked.longest,
        load=load,
        start=start_from,
    )
    start, kept = time.monotonic(), len(trainer.train_dataset)
    compile_layers(trainer, settings)
    reference, step = _shares(progress, kept, settings.epochs)
    of = reference_weights(base, settings, start_from)
    cache_reference(trainer, settings.in_memory, reference, weights=of)
    held_out = _held_out(trainer, parts, settings, tokenizer)
    stop_between_steps(trainer, stop, world)
    tell_repeated(trainer, world)

    from_checkpoint = world.from_main(lambda: _go_on_from(trainer, folder, identity))
    if not from_checkpoint:
        first = check_first_step(trainer, settings)
        world.from_main(lambda: keep_first_step(folder, first))
    if settings.use_peft:
        forget_reference(trainer)
    watching = watch(trainer, settings, folder, identity=identity, held_out=held_out, step=step, on_metrics=on_metrics)
    refuse_no_numbers(trainer, settings, world)
    tell_after_first_step(trainer, checked.tokens)
    before = checksums(trainer)
    with stepping(stop):
        trained = _run(trainer, from_checkpoint, settings, kept, start, watching)
    stop.require_going_on(trainer.state.max_steps)
    if trained.stopping:
        restore_weights(trainer, best_folder(checkpoints, trained.stopping.best_step))
    moved = look_what_moved(trainer, before)
    world.from_main(lambda: keep_moved(folder, moved, trained.steps))
    weights = whole_weights(trainer)
    adapter = world.from_main(lambda: _save(trainer, weights, settings, base, folder, identity, trained, kept))
    if world.main:
        shutil.rmtree(checkpoints)
    step(1, 1)
    return adapter


def _go_on_from(trainer: "DPOTrainer", folder: Path, identity: dict[str, Any]) -> Path | None:
    require_space(trainer, folder)
    last = last_whole(folder / "checkpoints", identity)
    if last:
        refuse_other_sharding(trainer, last)
    cut_metrics(folder / "metrics.jsonl", step_of(last) if last else 0)
    return last


def _shares(progress: Progress, pairs: int, epochs: int) -> tuple[Progress, Progress]:
    """Return what the reference pass and the steps report to, so that one bar grows evenly over both."""
    work = pairs * (1 + TRAIN_PASSES * epochs)

    def reference(done: int, total: int) -> None:
        progress(done, work)

    def step(done: int, total: int) -> None:
        progress(pairs + round((work - pairs) * done / total), work)

    return reference, step


def _held_out(
    trainer: "DPOTrainer", parts: Split, settings: TrainSettings, tokenizer: "PreTrainedTokenizerBase"
) -> HeldOutScores | None:
    if not parts.measured:
        return None
    log.info("%d pairs are held out to watch the training by", len(parts.held_out))
    return HeldOutScores(
        trainer,
        parts.measured,
        parts.clusters,
        tokenizer,
        batch_size=settings.in_memory,
        max_length=settings.max_length,
    )


def _run(
    trainer: "DPOTrainer",
    from_checkpoint: Path | None,
    settings: TrainSettings,
    pairs: int,
    start: float,
    watching: Watching,
) -> _Trained:
    begun, first = time.monotonic(), step_of(from_checkpoint) if from_checkpoint else 0
    if from_checkpoint:
        log.info("resuming from step %d", first)
    if not watching.over:  # by the held-out pairs, and killed before its weights were saved
        trainer.train(resume_from_checkpoint=str(from_checkpoint) if from_checkpoint else None)
    watching.finish()
    now, steps, patience = time.monotonic(), max(first, trainer.state.global_step), settings.held_out.patience
    stopped = stopping(watching.measured, patience) if patience and watching.measured else None
    return _Trained(
        steps,
        round(now - start, 1),
        round(min((steps - first) * settings.batch_size, pairs * settings.epochs) / (now - begun), 3),
        stopped,
        watching.held_out_at(stopped.best_step if stopped else steps),
    )


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
    write_weights(trainer, weights, settings, base, partial)
    keep_read_back(folder, read_back(trainer, partial, settings))
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
        base_adapter_sha256=identity["base_adapter_sha256"],
        chat_template_sha256=identity["chat_template_sha256"],
        sft_data_sha256=identity["sft_data_sha256"],
        held_out=trained.held_out,
        stopping=trained.stopping,
    )
    write_record(adapter)
    partial.rename(final)
    return replace(adapter, path=final)


def _last_epoch(metrics: Path, steps: int, steps_per_epoch: int) -> dict[str, float]:
    rows = [row for row in read_lines(metrics) if row["step"] > steps - steps_per_epoch]
    logged: dict[str, list[float]] = {}
    for row in rows:
        for name in filter(_is_averaged, row):
            logged.setdefault(name, []).append(row[name])
    # A step without ties, or of ties alone, has no number for what it lacks.
    whole = {name: found for name, found in logged.items() if len(found) == len(rows) or name.startswith("rewards/")}
    return {name: round(sum(found) / len(found), 6) for name, found in whole.items()}


def _is_averaged(name: str) -> bool:
    return name not in {"step", "epoch", "learning_rate", "alarms", *SPEED} and not name.startswith("eval_")

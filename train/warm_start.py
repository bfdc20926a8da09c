"""The supervised stage before DPO, with TRL's SFTTrainer.

Its folder, `sft` in the training's own:

sft.json          what went in: counts, what was dropped and cut, with ids
metrics.jsonl     one row a step, under TRL's names
checkpoints/      while it runs; a killed stage resumes from here
start/            the result, from which DPO goes on: an adapter, or a whole model in float32
"""

import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Problems, UserError
from ..runs import Progress, append_line, read_json, write_json
from .adapter import adapter_sha256
from .checkpoints import cut_metrics, last_whole, mark_whole, step_of
from .job import Job
from .rows import tokenise
from .saving import write_weights
from .scale.interruptions import Stop, stepping, stop_between_steps
from .scale.mishaps import require_space
from .scale.sharding import whole_weights
from .scale.world import join_world
from .settings import TrainSettings
from .sft import Demonstration, SftSettings, chosen_answers, demonstrations_sha256
from .watching.callback import TRAIN_PASSES
from .watching.held_out import Split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer

log = logging.getLogger(__name__)

DPO_ONLY = {
    *("loss_type", "loss_weights", "beta", "label_smoothing", "ld_alpha", "learning_rate", "epochs"),
    *("votes", "held_out", "preflight", "report_to"),
}
"""Settings that change nothing in this stage: it is not done again when one of them is another."""
MARK = "prefloop.json"
STEP_PASSES = 2
"""What learning a demonstration costs in forward passes of a pair, which is two sequences: for an even progress bar."""


def warm_start(
    demonstrations: Sequence[Demonstration] | None, parts: Split, job: Job, progress: Progress, stop: Stop
) -> tuple[Path | None, Progress]:
    """Go through the supervised stage, if the settings have one.

    Only the answers are learned, their end included. A finished stage of the same data and settings is not done again.

    Args:
        demonstrations: What is learned, in any order; None takes the chosen answers of the training pairs.
        parts: The pairs. What is on a held-out prompt is left out.
        job: The whole training.
        progress: The training's.
        stop: The training's.

    Returns:
        The folder from which DPO goes on, None without the stage; and the progress of what is left to do.

    Raises:
        Problems: no demonstration fits `max_length`.
        UserError: the loss is no number.
        Interrupted: a signal asked to stop.
    """
    settings = job.settings
    if settings.sft is None:
        return None, progress
    shown = chosen_answers(parts.training) if demonstrations is None else list(demonstrations)
    held_out = {pair.prompt_id for pair in parts.held_out}
    learned = [each for each in shown if each.as_pair().prompt_id not in held_out]
    rows, dropped = _rows(learned, job.tokenizer, settings.max_length)
    own = replace(job, folder=job.folder / "sft", identity=_identity(job.identity, learned))
    told = {
        "demonstrations": len(shown),
        "trained_on": len(rows),
        "prompt_held_out": sorted(each.as_pair().id for each in shown if each.as_pair().prompt_id in held_out),
        "dropped": dropped,
        "cut": [row["id"] for row in rows if row["cut"]],
        "sha256": own.identity["sft_data_sha256"],
    }
    work = STEP_PASSES * len(rows) * settings.sft.epochs
    later = len(parts.training) * (1 + TRAIN_PASSES * settings.epochs)
    _supervise(rows, told, own, lambda done, total: progress(round(work * done / total), work + later), stop)
    return own.folder / "start", lambda done, total: progress(work + done, work + total)


def _identity(training: dict[str, Any], learned: Sequence[Demonstration]) -> dict[str, Any]:
    """Return what makes this stage what it is: less than what makes the whole training."""
    shared = {name: value for name, value in training["settings"].items() if name not in DPO_ONLY}
    lineage = {name: value for name, value in training.items() if name not in {"settings", "data_sha256"}}
    return lineage | {"settings": shared, "sft_data_sha256": demonstrations_sha256(learned)}


def _supervise(rows: Sequence[dict[str, Any]], told: dict[str, Any], job: Job, progress: Progress, stop: Stop) -> None:
    world, folder, identity = join_world(), job.folder, job.identity
    start, checkpoints = folder / "start", job.checkpoints
    if world.from_main(lambda: _is_done(start, identity)):
        log.info("%s holds the supervised stage already", start)
        return

    def prepare() -> Path | None:
        shutil.rmtree(start, ignore_errors=True)
        _tell(folder / "sft.json", told)
        last = last_whole(checkpoints, identity)
        cut_metrics(folder / "metrics.jsonl", step_of(last) if last else 0)
        return last

    from_checkpoint = world.from_main(prepare)
    trainer = _trainer(rows, job)
    world.from_main(lambda: require_space(trainer, folder))
    _watch(trainer, folder / "metrics.jsonl", identity, progress)
    stop_between_steps(trainer, stop, world)
    if from_checkpoint:
        log.info("resuming the supervised stage from step %d", step_of(from_checkpoint))
    with stepping(stop):
        trainer.train(resume_from_checkpoint=str(from_checkpoint) if from_checkpoint else None)
    stop.require_going_on(trainer.state.max_steps)
    weights = whole_weights(trainer)
    world.from_main(lambda: _save(trainer, weights, job, start))
    if world.main:
        shutil.rmtree(checkpoints)


def _of(settings: TrainSettings) -> SftSettings:
    assert settings.sft is not None
    return settings.sft


def _rows(
    demonstrations: Sequence[Demonstration], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return rows of TRL's tokenised format in an order of their own, and the ids of those that don't fit."""
    rows, dropped = [], []
    for shown in demonstrations:
        tokens = tokenise(shown.as_pair(), tokenizer)
        prompt, answer = tokens.prompt, tokens.chosen
        if len(prompt) >= max_length or not answer:
            dropped.append(tokens.pair_id)
            continue
        ids = [*prompt, *answer]
        labels = [*([-100] * len(prompt)), *answer]
        rows.append(
            {
                "id": tokens.pair_id,
                "input_ids": ids[:max_length],
                "labels": labels[:max_length],
                "cut": len(ids) > max_length,
            }
        )
    if not rows:
        raise Problems(
            "the supervised stage has nothing to learn from",
            [f"all {len(dropped)} demonstrations have prompts that fill max_length {max_length}"],
        )
    return sorted(rows, key=lambda row: str(row["id"])), sorted(dropped)


def _tell(path: Path, told: dict[str, Any]) -> None:
    write_json(path, told)
    lost = {name: len(told[name]) for name in ("prompt_held_out", "dropped", "cut") if told[name]}
    if lost:
        log.warning(
            "of %d demonstrations some have a held-out prompt, a prompt that fills max_length, or lose their end: %s "
            "(ids in %s)",
            *(told["demonstrations"], ", ".join(f"{name} {count}" for name, count in lost.items()), path),
        )


def _trainer(rows: Sequence[dict[str, Any]], job: Job) -> "SFTTrainer":
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.utils import disable_dropout_in_model

    from .trainer import make_ready, policy_to_train, shared_arguments

    settings = job.settings
    model, peft_config = policy_to_train(job.base, settings, max(len(row["input_ids"]) for row in rows))
    dataset: Dataset = Dataset.from_list([{key: row[key] for key in ("input_ids", "labels")} for row in rows])
    sft = _of(settings)
    arguments = shared_arguments(settings, job.checkpoints) | {
        "learning_rate": sft.learning_rate,
        "num_train_epochs": sft.epochs,
        "report_to": [],
    }
    trainer = SFTTrainer(
        model,
        args=SFTConfig(**arguments),
        train_dataset=dataset,
        processing_class=job.tokenizer,
        peft_config=peft_config,
    )
    disable_dropout_in_model(trainer.model)
    trainer.remove_callback(PrinterCallback)
    make_ready(trainer, settings)
    return trainer


def _watch(trainer: "SFTTrainer", metrics: Path, identity: dict[str, Any], progress: Progress) -> None:
    from transformers import TrainerCallback

    world = join_world()

    class Watch(TrainerCallback):
        """The run folder's eyes on the supervised stage."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in logs:
                return
            if not math.isfinite(logs["loss"]):
                raise UserError(
                    f"the loss of the supervised stage is {logs['loss']} at step {state.global_step}; "
                    "take a smaller train.sft.learning_rate"
                )
            if world.main:
                append_line(metrics, {"step": state.global_step} | {k: v for k, v in logs.items() if k != "num_tokens"})

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            world.wait()
            if world.main:
                mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", identity)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step, state.max_steps)

    trainer.add_callback(Watch())


def _save(trainer: "SFTTrainer", weights: dict[str, Any] | None, job: Job, start: Path) -> None:
    partial = start.with_name(f".{start.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if job.settings.use_peft:
        write_weights(trainer, weights, job.settings, job.base, partial)
    else:  # not rounded: DPO goes on from these
        trainer.model.save_pretrained(partial, state_dict=weights)
    write_json(partial / MARK, job.identity | {"sha256": adapter_sha256(partial)})
    partial.rename(start)


def _is_done(start: Path, identity: dict[str, Any]) -> bool:
    if not (start / MARK).exists():
        return False
    record = read_json(start / MARK)
    return bool(record.pop("sha256") == adapter_sha256(start) and record == identity)

"""TRL's DPOTrainer, set up. Nothing of it is subclassed but the last step of its loss, where votes are read."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair
from ..models import ModelFolder
from .checkpoints import KEPT
from .continuing import continued
from .policy import LoadPolicy, load_policy, lora_config, no_reference, without_wrapping
from .rows import tokenise, training_row
from .scale.sharding import allow_fsdp_on_cpus, ready_to_shard
from .scale.world import join_world, share_of
from .settings import TrainSettings
from .speed.completion_head import has_plain_head, score_responses_only
from .speed.shortcuts import share_prompts
from .votes.objective import vote_trainer
from .votes.reading import reads_votes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import DPOConfig, DPOTrainer, SFTTrainer

log = logging.getLogger(__name__)


def build_trainer(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    tokenizer: "PreTrainedTokenizerBase",
    checkpoints: Path,
    longest: int,
    load: LoadPolicy = load_policy,
    start: Path | None = None,
) -> "DPOTrainer":
    """Build a DPOTrainer over these pairs; `longest` is the preflight's longest sequence in tokens.

    Its policy starts from the base, from `settings.base_adapter`, or from `start`, what a supervised stage has left;
    that is its reference too.

    Raises:
        UserError: `target_modules` names a layer that the model does not have, or the adapter to go on from is another.
    """
    from datasets import Dataset
    from transformers import PrinterCallback

    arguments = _arguments(settings, checkpoints)
    allow_fsdp_on_cpus(arguments)
    model, peft_config = policy_to_train(base, settings, longest, load=load, start=start)
    trainer = _trainer_class(settings)(
        model,
        args=arguments,
        train_dataset=Dataset.from_list([training_row(pair, settings) for pair in pairs]),
        processing_class=tokenizer,
        ref_model=None if settings.use_peft else no_reference(),
        peft_config=peft_config,
    )
    trainer.ref_model = None
    trainer.remove_callback(PrinterCallback)
    _refuse_other_tokens(trainer, pairs, tokenizer, settings.max_length)
    make_ready(trainer, settings)
    share_prompts(trainer, settings)
    return trainer


def policy_to_train(
    base: ModelFolder,
    settings: TrainSettings,
    longest: int,
    *,
    load: LoadPolicy = load_policy,
    start: Path | None = None,
) -> tuple[Any, Any]:
    """Return the model that a trainer gets, and PEFT's config if the trainer is to put a new adapter on it.

    Raises as `build_trainer`.
    """
    start = start or settings.base_adapter
    if not settings.use_peft:
        return load(replace(base, path=start) if start else base, settings, longest), None
    model = load(base, settings, longest)
    return (continued(model, start, settings), None) if start else (model, lora_config(model, settings))


def make_ready(trainer: "DPOTrainer | SFTTrainer", settings: TrainSettings) -> None:
    """Give what is trained its float32 master weights, and score only what counts where that is slow."""
    import torch

    for parameter in trainer.model.parameters():
        if parameter.requires_grad and not trainer.is_deepspeed_enabled:
            # TRL makes them bfloat16 on a quantised base, where a small step rounds away. DeepSpeed keeps a float32
            # copy of its own, and ZeRO-3 can't put weights of two types together.
            parameter.data = parameter.data.to(torch.float32)
    ready_to_shard(trainer)
    policy = without_wrapping(trainer.model)
    if trainer.accelerator.device.type == "cpu" and has_plain_head(policy):
        score_responses_only(policy)


def _trainer_class(settings: TrainSettings) -> type["DPOTrainer"]:
    from trl import DPOTrainer

    return vote_trainer(settings.votes) if reads_votes(settings) else DPOTrainer


def _arguments(settings: TrainSettings, checkpoints: Path) -> "DPOConfig":
    from trl import DPOConfig

    return DPOConfig(
        loss_type=list(settings.loss_type),
        loss_weights=None if settings.loss_weights is None else list(settings.loss_weights),
        beta=settings.beta,
        label_smoothing=settings.label_smoothing,
        ld_alpha=settings.ld_alpha,
        **shared_arguments(settings, checkpoints),
    )


def shared_arguments(settings: TrainSettings, checkpoints: Path) -> dict[str, Any]:
    """Return the arguments that DPO has in common with a supervised stage."""
    import torch

    share = share_of(settings.batch_size, settings.micro_batch_size, join_world().size)
    return dict(
        output_dir=str(checkpoints),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler,
        lr_scheduler_kwargs=None if settings.min_lr_rate is None else {"min_lr_rate": settings.min_lr_rate},
        warmup_steps=settings.warmup,  # below 1 it is a share of all steps
        optim=_optimizer(settings),
        adam_beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=share.pairs,
        gradient_accumulation_steps=share.batches,
        max_length=settings.max_length,
        activation_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=KEPT,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would show the last number in place of one that is none
        report_to=list(settings.report_to),
        project=os.environ.get("TRACKIO_PROJECT", "prefloop"),  # Trackio's; transformers would call it huggingface
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _optimizer(settings: TrainSettings) -> str:
    """Return transformers' name of the optimiser; a paged one is plain AdamW where there is no GPU to page out of."""
    import torch

    if settings.optim.startswith("paged_") and not torch.cuda.is_available():
        log.warning("optim %s needs a GPU; adamw_torch takes its place here, the same AdamW unpaged", settings.optim)
        return "adamw_torch"
    return settings.optim


def _refuse_other_tokens(
    trainer: "DPOTrainer", pairs: Sequence[PreferencePair], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> None:
    """Make sure that the preflight saw exactly the tokens that will be trained on."""
    ours = [tokens for pair in pairs if len((tokens := tokenise(pair, tokenizer)).prompt) < max_length]
    expected = [(row.pair_id, row.prompt, row.chosen, row.rejected) for row in ours]
    columns = ("pair_id", "prompt_ids", "chosen_ids", "rejected_ids")
    found = list(zip(*(trainer.train_dataset[column] for column in columns), strict=True))
    if found != expected:
        raise RuntimeError("this version of TRL tokenises pairs in another way than the preflight; pin trl==1.16.*")

"""TRL's DPOTrainer, set up: model, LoRA, arguments, callbacks, cached reference. Nothing of it is subclassed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair
from ..errors import UserError
from ..models import ModelFolder, quietly
from ..runs import append_line
from .checkpoints import mark_whole
from .completion_head import has_plain_head, score_responses_only
from .rows import conversation_row, tokenise
from .settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import DPOConfig, DPOTrainer

EAGER_UP_TO = 256
"""Tokens a sequence up to which plain attention beats the fused one on a CPU; its memory grows with the square."""

Step = Callable[[int, int], None]


def build_trainer(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    tokenizer: "PreTrainedTokenizerBase",
    checkpoints: Path,
    longest: int,
) -> "DPOTrainer":
    """Build a DPOTrainer over these pairs; `longest` is the preflight's longest sequence in tokens.

    Raises:
        UserError: `target_modules` names a layer that the model does not have.
    """
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import DPOTrainer

    model = _load_base(base, settings, longest)
    trainer = DPOTrainer(
        model,
        args=_arguments(settings, checkpoints),
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in pairs]),
        processing_class=tokenizer,
        peft_config=_lora(model, settings),
    )
    trainer.remove_callback(PrinterCallback)
    _refuse_other_tokens(trainer, pairs, tokenizer, settings.max_length)
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            # TRL makes them bfloat16 on a quantised base, where a small step rounds away.
            parameter.data = parameter.data.to(torch.float32)
    policy = trainer.model.get_base_model()
    if trainer.accelerator.device.type == "cpu" and has_plain_head(policy):
        score_responses_only(policy)
    return trainer


def cache_reference(trainer: "DPOTrainer", batch_size: int, progress: Step) -> None:
    """Compute the reference log-probabilities once, instead of once an epoch.

    TRL's own `precompute_ref_log_probs` does the same, but copies and hashes the whole model first, and its cache can
    be stale. `progress` is called with pairs done and all pairs.
    """
    # In eval mode bitsandbytes repacks 4-bit weights on a CPU for good, and gradients no longer pass through them.
    trainer.model.train()
    rows = trainer.train_dataset
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["prompt_ids"]) - _longer_response(rows[i]))
    chosen, rejected = [0.0] * len(rows), [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = trainer.data_collator([rows[i] for i in indices])
        batch = {name: tensor.to(trainer.accelerator.device) for name, tensor in batch.items()}
        found = trainer.compute_ref_log_probs(trainer.model, batch)
        for values, column in zip(found, (chosen, rejected), strict=True):
            for index, value in zip(indices, values.tolist(), strict=True):
                column[index] = value
        progress(start + len(indices), len(order))
    trainer.train_dataset = rows.add_column("ref_chosen_logps", chosen).add_column("ref_rejected_logps", rejected)
    trainer.precompute_ref_logps = True


def watch(trainer: "DPOTrainer", metrics: Path, identity: dict[str, Any], step: Step) -> None:
    """Append every logged row to `metrics`, mark whole checkpoints, call `step` with steps done and all steps."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """The run folder's eyes on the training."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                # TRL counts tokens from zero again after a resume, so its count would mislead.
                append_line(metrics, {"step": state.global_step} | {k: v for k, v in logs.items() if k != "num_tokens"})

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", identity)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step(state.global_step, state.max_steps)

    trainer.add_callback(Watch())


def _load_base(base: ModelFolder, settings: TrainSettings, longest: int) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    on_cpu = not torch.cuda.is_available()
    extra: dict[str, Any] = {}
    if on_cpu and longest <= EAGER_UP_TO:
        extra["attn_implementation"] = "eager"
    if settings.quantization:
        extra["device_map"] = {"": "cpu" if on_cpu else torch.cuda.current_device()}
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=settings.quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    with quietly():
        return AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.bfloat16, **extra)


def _arguments(settings: TrainSettings, checkpoints: Path) -> "DPOConfig":
    import torch
    from trl import DPOConfig

    return DPOConfig(
        output_dir=str(checkpoints),
        loss_type=list(settings.loss_type),
        loss_weights=None if settings.loss_weights is None else list(settings.loss_weights),
        beta=settings.beta,
        label_smoothing=settings.label_smoothing,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler,
        warmup_steps=settings.warmup,  # below 1 it is a share of all steps
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.in_memory,
        gradient_accumulation_steps=settings.batch_size // settings.in_memory,
        max_length=settings.max_length,
        activation_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=1,
        report_to=list(settings.report_to),
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _lora(model: "PreTrainedModel", settings: TrainSettings) -> Any:
    from peft import LoraConfig

    if settings.target_modules != "all-linear":
        layers = {
            name.rsplit(".", 1)[-1] for name, module in model.named_modules() if "Linear" in type(module).__name__
        }
        unknown = sorted(set(settings.target_modules) - layers)
        if unknown:
            raise UserError(
                f"target_modules: {', '.join(unknown)} is no linear layer of {settings.base_model}; "
                f"it has {', '.join(sorted(layers - {'lm_head'}))}"
            )
    targets = settings.target_modules if settings.target_modules == "all-linear" else list(settings.target_modules)
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.0,  # DPOTrainer switches dropout off anyway
        target_modules=targets,
        task_type="CAUSAL_LM",
    )


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


def _longer_response(row: dict[str, Any]) -> int:
    return max(len(row["chosen_ids"]), len(row["rejected_ids"]))

"""The model that is trained: the base as it is loaded, and the adapter put on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import ModelFolder, quietly
from .settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LoadPolicy = Callable[[ModelFolder, TrainSettings, int], "PreTrainedModel"]
"""`load_policy`, or what stands for it where trainings share a base (`train/sharing.py`)."""
EAGER_UP_TO = 256
"""Tokens a sequence up to which plain attention beats the fused one on a CPU; its memory grows with the square."""


def load_policy(base: ModelFolder, settings: TrainSettings, longest: int) -> "PreTrainedModel":
    """Load the base that the policy starts from, in bfloat16 or in 4 bits.

    Args:
        base: Where it lies.
        settings: Of them, `quantization`.
        longest: Tokens of the longest sequence it will see.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    on_cpu = not torch.cuda.is_available()
    extra: dict[str, Any] = {}
    if attention := attention_for(longest):
        extra["attn_implementation"] = attention
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


def attention_for(longest: int) -> str | None:
    """Return the attention that trains sequences of up to `longest` tokens fastest here; None is the model's own."""
    import torch

    return "eager" if longest <= EAGER_UP_TO and not torch.cuda.is_available() else None


def lora_config(model: "PreTrainedModel", settings: TrainSettings) -> Any:
    """Return PEFT's description of the matrices to be trained.

    Raises:
        UserError: `target_modules` names a layer that the model does not have.
    """
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
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        task_type="CAUSAL_LM",
    )

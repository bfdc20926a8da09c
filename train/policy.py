"""The model that is trained: the base as it is loaded, and the adapter put on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import ModelFolder, quietly
from .settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LoadPolicy = Callable[[ModelFolder, TrainSettings, int], "PreTrainedModel"]
"""`load_policy`, or what stands for it where trainings share a base (`train/scale/sharing.py`)."""
EAGER_UP_TO = 512
"""Tokens a sequence up to which plain attention beats the fused one on a CPU; its memory grows with the square."""


def load_policy(base: ModelFolder, settings: TrainSettings, longest: int) -> "PreTrainedModel":
    """Load the base that the policy starts from: frozen under an adapter in bfloat16 or in 4 bits, else in float32.

    Weights that are trained themselves need float32: a step of 5e-7 on a weight of 0.02 is a hundredth of what
    bfloat16 can tell apart there, so it would round away each time. Their products are computed in bfloat16 all the
    same, by autocast, on a GPU and on a CPU: what is logged is the policy with its weights rounded, as it is saved.

    Args:
        base: Where it lies.
        settings: Of them, `quantization` and `use_peft`.
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
    dtype = torch.bfloat16 if settings.use_peft else torch.float32
    with quietly():
        return AutoModelForCausalLM.from_pretrained(base.path, dtype=dtype, **extra)


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
        layers = linear_layers(model)
        unknown = sorted(set(settings.target_modules) - layers)
        if unknown:
            raise UserError(
                f"target_modules: {', '.join(unknown)} is no linear layer of {settings.base_model}; "
                f"it has {', '.join(sorted(layers))}"
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


def linear_layers(model: "PreTrainedModel") -> set[str]:
    """Return the names of the layers that can get an adapter: linear ones but the head."""
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if "Linear" in type(module).__name__}
    return linear - {"lm_head"}


def without_wrapping(model: Any) -> Any:
    """Return the model itself, its adapter's layers in it, where PEFT has wrapped it."""
    from peft import PeftModel

    return model.get_base_model() if isinstance(model, PeftModel) else model


def no_reference() -> "PreTrainedModel":
    """Return a model of no size, to stand where TRL would load the base a second time.

    The reference's log-probabilities are computed before the first step, when the policy still is the reference.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=1,
            hidden_size=2,
            intermediate_size=1,
            num_hidden_layers=1,
            num_attention_heads=1,
            bos_token_id=None,
            eos_token_id=None,
        )
    )

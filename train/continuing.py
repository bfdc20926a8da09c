"""Training that goes on from an adapter: somebody's SFT adapter, or that of the round before.

The adapter's own policy is the reference then, not the base: TRL puts a frozen copy of it beside it, called `ref`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Problems, UserError
from ..models import ModelFolder
from ..runs import read_json
from .adapter import RECORD, adapter_sha256, read_adapter
from .policy import linear_layers
from .settings import TrainSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel
    from trl import DPOTrainer

CONFIG, PICKLE = "adapter_config.json", "adapter_model.bin"
SAME = {"r": "lora_rank", "lora_alpha": "lora_alpha", "use_rslora": "use_rslora", "use_dora": "use_dora"}
"""What an adapter's config must agree on with the settings, which are what the record and the card will show."""
NOT_CONTINUED = (
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "target_parameters",
    "trainable_token_indices",
)
"""Parts of PEFT's config that change more than linear layers by one rank, or that import code by name."""


def base_adapter_sha256(settings: TrainSettings, base: ModelFolder) -> str | None:
    """Look at the adapter that `base_adapter` names, and return its fingerprint; None where nothing is named.

    Raises:
        UserError: it is no adapter with safetensors weights, or prefloop trained it on another base.
        Problems: it is not of the kind that the settings describe.
    """
    path = settings.base_adapter
    if path is None:
        return None
    if not (path / CONFIG).exists():
        raise UserError(f"base_adapter {path} is no adapter folder: it has no {CONFIG}")
    if (path / PICKLE).exists() and not (path / "adapter_model.safetensors").exists():
        raise UserError(
            f"base_adapter {path} keeps its weights in {PICKLE}, a pickle that could run anything; "
            "save it again as safetensors"
        )
    sha256 = adapter_sha256(path)
    if problems := _unlike(read_json(path / CONFIG), settings):
        raise Problems(f"base_adapter {path} can't be continued with these settings", problems)
    if (path / RECORD).exists() and (record := read_adapter(path)).base_sha256 != base.sha256:
        raise UserError(
            f"base_adapter {path} was trained on {record.base_name} ({record.base_sha256[:12]}), "
            f"not on {base.name} ({base.sha256[:12]})"
        )
    return sha256


def continued(model: "PreTrainedModel", adapter: Path, settings: TrainSettings) -> "PeftModel":
    """Put the adapter on the model, to be trained further.

    Raises:
        UserError: it is on other layers than the settings say, or on other shapes than the model has.
    """
    from peft import PeftModel

    named = settings.target_modules
    expected = linear_layers(model) if named == "all-linear" else set(named)
    try:
        tuned = PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the adapter {adapter} does not fit {settings.base_model}: {str(error).splitlines()[0]}"
        ) from error
    found = {name.split(".lora_A.")[0].rsplit(".", 1)[-1] for name, _ in tuned.named_parameters() if ".lora_A." in name}
    if found != expected:
        raise UserError(
            f"the adapter {adapter} is on {', '.join(sorted(found))}; set target_modules: [{', '.join(sorted(found))}]"
        )
    return tuned


def forget_reference(trainer: "DPOTrainer") -> None:
    """Delete the frozen copy of the adapter, once the reference's log-probabilities are known."""
    if trainer.model.peft_config.keys() > {"default"}:
        trainer.model.delete_adapter("ref")


def _unlike(config: dict[str, Any], settings: TrainSettings) -> list[str]:
    if config.get("peft_type") != "LORA":
        return [f"it is a {config.get('peft_type')} adapter; only LoRA and its kinds can be continued"]
    found = [f"it has {name}, which can't be continued" for name in NOT_CONTINUED if config.get(name)]
    if config.get("bias", "none") != "none":
        found.append(f"it has bias {config['bias']}, which can't be continued")
    ours = settings.model_dump()
    for theirs, name in SAME.items():
        if config.get(theirs, False) != ours[name]:
            found.append(f"its {theirs} is {config.get(theirs, False)}, but {name} is {ours[name]}; set it to the same")
    return found

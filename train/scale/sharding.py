"""What a training needs where a model is split among processes: FSDP2 and DeepSpeed ZeRO-3."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError

if TYPE_CHECKING:
    import torch
    from trl import DPOConfig, DPOTrainer


def fsdp_asked() -> bool:
    """Whether the launcher asks for Fully Sharded Data Parallel."""
    return _switched_on("ACCELERATE_USE_FSDP")


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"1", "true", "yes"}


def refuse_unfit_sharding() -> None:
    """Refuse what the launcher's settings would quietly ruin.

    Raises:
        UserError: FSDP1 is asked for, or a way of loading that leaves all ranks but the first without weights.
    """
    if not fsdp_asked():
        return
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise UserError("FSDP version 1 is asked for; take version 2: fsdp_version: 2, as in `prefloop launch fsdp2`")
    if _switched_on("FSDP_CPU_RAM_EFFICIENT_LOADING"):
        raise UserError(
            "fsdp_cpu_ram_efficient_loading is on: only the first process would hold the base's weights when the "
            "reference is computed; set it to false, as in `prefloop launch fsdp2`"
        )


def allow_fsdp_on_cpus(arguments: "DPOConfig") -> None:
    """Let accelerate shard on CPUs, so that a sharded training can be rehearsed without a GPU.

    accelerate 1.15 looks for FSDP only where it counts several accelerators, and else ignores it without a word.
    PyTorch's own FSDP2 works on CPUs.
    """
    from accelerate.utils import DistributedType

    if fsdp_asked() and arguments.distributed_state.distributed_type is DistributedType.MULTI_CPU:
        arguments.distributed_state.distributed_type = DistributedType.MULTI_GPU


def ready_to_shard(trainer: "DPOTrainer") -> None:
    """Put the model where the reference is computed, and keep FSDP's arithmetic as exact as one process's.

    Until `train()` shards it, transformers leaves the model on the CPU. accelerate would round log-probabilities and
    summed gradients to bfloat16; here only the weights on their way to a product are.
    """
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return
    trainer.model.to(trainer.accelerator.device)
    if trainer.is_fsdp_enabled:
        import torch
        from torch.distributed.fsdp import MixedPrecisionPolicy

        trainer.accelerator.state.fsdp_plugin.mixed_precision_policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
        )


def whole_weights(trainer: "DPOTrainer") -> "dict[str, torch.Tensor] | None":
    """Return the trained weights put together from all processes, on the CPU; None where each process has them all.

    All processes must call this.
    """
    if trainer.is_deepspeed_enabled:
        return dict(trainer.accelerator.get_state_dict(trainer.model_wrapped))
    if not trainer.is_fsdp_enabled:
        return None
    # One at a time, so that no process ever holds more than one whole tensor beside what it returns.
    return {
        name: parameter.full_tensor().detach().cpu()
        for name, parameter in trainer.model.named_parameters()
        if parameter.requires_grad
    }


def refuse_other_sharding(trainer: "DPOTrainer", checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint whose model was split in another way.

    Raises:
        UserError: it was written under FSDP2 and this training runs without, or the other way round.
    """
    split = (checkpoint / "pytorch_model_fsdp.bin").exists()
    if split != trainer.is_fsdp_enabled:
        raise UserError(
            f"{checkpoint} was written {'under' if split else 'without'} FSDP2; go on with the launcher it was started "
            f"with, or start anew without {checkpoint.parent}"
        )

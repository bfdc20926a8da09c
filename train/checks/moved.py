"""Whether a training trained: what should have moved did, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

FEWEST_STEPS = 4
"""Steps after which every matrix must have moved: warm-up begins at a learning rate of 0, and A waits for B."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Moved:
    """Tensors by what became of them."""

    trained: int
    """How many were to be trained."""
    still: tuple[str, ...]
    """Of those, the ones that are to the bit what they were."""
    frozen: int
    """How many were not to be trained, and were looked at."""
    changed: tuple[str, ...]
    """Of those, the ones that changed all the same."""

    def warnings(self, steps: int) -> list[str]:
        """Return what to say of a training of so many steps."""
        found = []
        if self.still and steps >= FEWEST_STEPS:
            found.append(
                f"{len(self.still)} of {self.trained} trained tensors never moved: {_some(self.still)}; either no "
                "gradient reaches them, or the learning rate is too small for their type"
            )
        if self.changed:
            found.append(
                f"{len(self.changed)} of {self.frozen} frozen tensors changed while training, and are not in what was "
                f"saved: {_some(self.changed)}; don't trust this adapter"
            )
        return found


def checksums(trainer: "DPOTrainer") -> dict[str, int]:
    """Return a sum over the bits of each parameter; nothing where processes hold parts of them.

    Packed 4-bit weights are left out: bitsandbytes may repack them.
    """
    import torch

    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return {}
    return {name: _checksum(value) for name, value in trainer.model.named_parameters() if value.dtype != torch.uint8}


def look_what_moved(trainer: "DPOTrainer", before: Mapping[str, int]) -> Moved:
    """Compare the parameters with what `checksums` said before the training."""
    wanted = {name for name, value in trainer.model.named_parameters() if value.requires_grad}
    now = checksums(trainer)
    known = [name for name in now if name in before]
    return Moved(
        trained=sum(name in wanted for name in known),
        still=tuple(name for name in known if name in wanted and now[name] == before[name]),
        frozen=sum(name not in wanted for name in known),
        changed=tuple(name for name in known if name not in wanted and now[name] != before[name]),
    )


def _checksum(value: "torch.Tensor") -> int:
    import torch

    bits: dict[int, Any] = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return int(value.detach().contiguous().view(bits[value.element_size()]).sum(dtype=torch.int64))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name.replace("base_model.model.", "") for name in names[:SHOWN]) + more

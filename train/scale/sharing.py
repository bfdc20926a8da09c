"""One base model in memory for many trainings, one after the other, and for measuring what came out of them."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models import ModelFolder, load_model
from ..policy import attention_for, load_policy
from ..settings import TrainSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class SharedBase:
    """Lends out models that share the frozen weights of one base, and nothing else.

    What is lent is a copy of the model's structure around the same tensors: adapters, hooks and patched methods stay in
    the copy. The tensors' checksum is looked at before each loan; a training that wrote into them leaves its successor
    freshly loaded weights.
    """

    def __init__(self, base: ModelFolder) -> None:
        self.base = base
        self._model: PreTrainedModel | None = None
        self._checksum = 0

    def policy(self, base: ModelFolder, settings: TrainSettings, longest: int) -> "PreTrainedModel":
        """Return what `load_policy` would, without loading it again where that can be spared.

        Weights that are trained themselves, or kept in 4 bits (which may be repacked), are loaded anew each time.
        """
        if settings.quantization or not settings.use_peft or base != self.base:
            return load_policy(base, settings, longest)
        model = self._copy()
        if attention := attention_for(longest):
            model.set_attn_implementation(attention)
        return model

    def plain(self) -> "PreTrainedModel":
        """Return the base for measuring."""
        import torch

        model: PreTrainedModel = self._copy()
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def tuned(self, adapter: Path) -> "PeftModel":
        """Return the base with an adapter on top for measuring, as `load_model` would."""
        from peft import PeftModel

        return PeftModel.from_pretrained(self.plain(), str(adapter)).eval()

    def _copy(self) -> Any:
        if self._model is None or _checksum(self._model) != self._checksum:
            self._model = None  # before the next one is loaded: two may not fit
            self._model = load_model(self.base.path)
            self._checksum = _checksum(self._model)
        return copy.deepcopy(self._model, {id(parameter): parameter for parameter in self._model.parameters()})


def _checksum(model: "PreTrainedModel") -> int:
    """Return a sum over the bits of all parameters."""
    import torch

    return sum(int(each.detach().view(torch.int16).sum(dtype=torch.int64)) for each in model.parameters())

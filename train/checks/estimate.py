"""What a DPO training will need of memory, from the base's config.json alone.

    peak = weights + trained + fixed + pairs in memory * per pair + head + libraries

- weights: of the frozen base, 2 bytes each (bfloat16); in nf4 with double quantisation the linear layers take
  4 + 0.127 bits each (Dettmers et al. 2023, arXiv 2305.14314, section 3) and one of them is unpacked at a time.
- trained: 4 bytes of fp32 master weight, 4 of gradient and 8 of AdamW's states for every weight trained.
- fixed, per pair: what autograd keeps for the backward pass, counted and not derived: the policy runs forward once on
  torch's meta device, where tensors have shapes and no contents, and each stored tensor is added up. Twice, with one
  and with two pairs, which parts what grows with the batch from what does not (the bfloat16 copies of trained weights).
  Every pair counts as two sequences of the longest length. Fused attention keeps its inputs, its output and one number
  a row; plain attention, which short sequences take on a CPU, keeps its whole matrix. With gradient checkpointing a
  layer keeps its input alone, and one layer at a time is computed again (Chen et al. 2016, arXiv 1604.06174).
- head: one tile of logits and what its statistics need; neither all tokens nor, on a GPU, all of the vocabulary.
- reference: nothing. Its log-probabilities are computed before the first step by the same weights, without gradients.

docs/preflight.md compares it with measured peaks.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..policy import EAGER_UP_TO, lora_config, without_wrapping
from ..settings import TrainSettings
from ..speed.completion_head import TILE, has_plain_head

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

GIB = 2**30
NF4_BYTES = (4 + 0.127) / 8
TRAINED_BYTES = 16
"""Of a trained weight: itself, its gradient and AdamW's two states, all float32."""
LIBRARIES = {"cpu": int(1.0 * GIB), "cuda": int(0.6 * GIB)}
"""Python with torch and TRL; CUDA's context and kernels."""
GPU_TILE = (4096, 32768)
"""Tokens and entries of the vocabulary that TRL's kernel projects at once (trl/kernels/chunked_logprob.py)."""
TILE_BYTES = 12
"""Three float32 for each logit of a tile: itself, its exponential, and a product."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """A model in numbers, from which any memory setting's need follows. Bytes, unless said otherwise."""

    frozen_linear: int
    """Weights (a count) of the frozen layers that nf4 packs."""
    frozen_other: int
    """Weights (a count) of what is frozen and not packed: embeddings, head, norms."""
    largest_linear: int
    """Weights (a count)."""
    trained: int
    """Weights (a count)."""
    fixed: int
    """What autograd keeps whatever the batch."""
    per_pair: int
    """What autograd keeps for each pair."""
    fixed_checkpointed: int
    per_pair_checkpointed: int
    """The same with gradient checkpointing, one layer computed again."""
    transient_per_pair: int
    """Gradients on their way through the largest layer."""
    vocabulary: int
    hidden: int
    tokens: int
    """Of the longest sequence."""
    plain_head: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """A training's peak, in bytes."""

    weights: int
    trained: int
    """Master weights, gradients and the optimiser's states."""
    activations: int
    head: int
    libraries: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.trained + self.activations + self.head + self.libraries

    def as_row(self) -> tuple[str, str]:
        """Return its name and what a person should see."""
        names = ("weights", "trained", "activations", "head", "libraries")
        parts = ", ".join(f"{name} {gib(getattr(self, name))}" for name in names)
        return "memory, estimated", f"{gib(self.total)} ({parts})"


def gib(count: float) -> str:
    """Return bytes as a person reads them."""
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.0f} MiB"


def footprint(folder: Path, settings: TrainSettings, longest: int) -> Footprint:
    """Count what a model of this config needs; loads no weights.

    Args:
        folder: The base model's; only its config is read.
        settings: Of the training; of those that decide on memory alone (micro_batch_size, gradient_checkpointing,
            quantization) the result is independent.
        longest: Tokens of the longest sequence.

    Raises:
        UserError: `target_modules` names a layer that the model does not have.
        NotImplementedError: the architecture computes with contents, so that shapes alone don't tell (some mixtures of
            experts).
    """
    model = _skeleton(folder, settings, longest)
    one, two = (_kept(model, pairs, longest) for pairs in (1, 2))
    frozen = [(name, value) for name, value in model.named_parameters() if not value.requires_grad]
    linear = _linear_weights(model)
    layers = max(len(one.layers), 1)
    # With checkpointing: what lies outside of the layers, each layer's input, and one whole layer.
    stored = [
        kept.total - sum(kept.layers) + layers * kept.layer_input + max(kept.layers, default=0) for kept in (one, two)
    ]
    return Footprint(
        frozen_linear=sum(value.numel() for name, value in frozen if name in linear),
        frozen_other=sum(value.numel() for name, value in frozen if name not in linear),
        largest_linear=max((count for count in linear.values()), default=0),
        trained=sum(value.numel() for value in model.parameters() if value.requires_grad),
        fixed=2 * one.total - two.total,
        per_pair=two.total - one.total,
        fixed_checkpointed=2 * stored[0] - stored[1],
        per_pair_checkpointed=stored[1] - stored[0],
        transient_per_pair=max(two.layers, default=0) - max(one.layers, default=0),
        vocabulary=model.get_output_embeddings().weight.shape[0],
        hidden=model.get_output_embeddings().weight.shape[1],
        tokens=longest,
        plain_head=has_plain_head(without_wrapping(model)),
    )


def memory(shape: Footprint, settings: TrainSettings, *, device: str) -> Memory:
    """Return what a training with these settings will need; `device` is `cpu` or `cuda`."""
    linear = shape.frozen_linear * (NF4_BYTES if settings.quantization else 2)
    unpacked = 2 * shape.largest_linear if settings.quantization else 0
    pairs = settings.in_memory
    if settings.gradient_checkpointing:
        kept = shape.fixed_checkpointed + pairs * shape.per_pair_checkpointed
    else:
        kept = shape.fixed + pairs * shape.per_pair
    return Memory(
        weights=int(linear + 2 * shape.frozen_other + unpacked),
        trained=shape.trained * TRAINED_BYTES,
        activations=kept + pairs * shape.transient_per_pair,
        head=_head(shape, pairs, device),
        libraries=LIBRARIES[device],
    )


def _head(shape: Footprint, pairs: int, device: str) -> int:
    tokens = 2 * pairs * shape.tokens
    if device == "cuda":
        rows, width = min(tokens, GPU_TILE[0]), min(shape.vocabulary, GPU_TILE[1])
        return rows * width * TILE_BYTES + tokens * shape.hidden * 4
    if shape.plain_head:
        return min(tokens, TILE) * shape.vocabulary * TILE_BYTES
    # TRL's path without a kernel: every position, in tiles of the vocabulary.
    return tokens * min(shape.vocabulary, GPU_TILE[1]) * TILE_BYTES


def _skeleton(folder: Path, settings: TrainSettings, longest: int) -> Any:
    """Return the model that will be trained, without contents."""
    import torch
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    attention = "eager" if longest <= EAGER_UP_TO and not torch.cuda.is_available() else "sdpa"
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        dtype = torch.bfloat16 if settings.use_peft else torch.float32
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    if not settings.use_peft:
        return model.train()
    model = get_peft_model(model, lora_config(model, settings))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model.train()


def _linear_weights(model: Any) -> dict[str, int]:
    """Return the weights that nf4 packs, by name: of linear layers, but for the head."""
    import torch

    head = without_wrapping(model).get_output_embeddings()
    return {
        f"{name}.weight": module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head and "lora_" not in name
    }


@dataclass(frozen=True, slots=True)
class _Kept:
    """What one forward pass leaves for the backward pass, in bytes."""

    total: int
    layers: list[int]
    """By layer that gradient checkpointing would compute again."""
    layer_input: int


def _kept(model: Any, pairs: int, tokens: int) -> _Kept:
    """Run forward on 2 x pairs sequences without contents, and count the tensors that autograd stores."""
    import torch
    from transformers.modeling_layers import GradientCheckpointingLayer

    sizes: dict[int, int] = {}
    alive: list[Any] = []  # or an address would be used twice
    frozen = {value.untyped_storage()._cdata for value in model.parameters()}

    def store(tensor: "torch.Tensor") -> "torch.Tensor":
        storage = tensor.untyped_storage()
        if storage._cdata not in frozen and storage._cdata not in sizes:
            sizes[storage._cdata] = storage.nbytes()
            alive.append(storage)
        return tensor

    inner = without_wrapping(model)
    layers = [module for module in inner.modules() if isinstance(module, GradientCheckpointingLayer)]
    marks: list[int] = []
    hooks = [layer.register_forward_pre_hook(lambda *_: marks.append(sum(sizes.values()))) for layer in layers]
    hooks += [layer.register_forward_hook(lambda *_: marks.append(sum(sizes.values()))) for layer in layers]
    plain = inner.config._attn_implementation == "eager"
    mask_type = torch.bfloat16 if plain else torch.bool
    try:
        with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor), _as_trained():
            inner.base_model(
                input_ids=torch.zeros(2 * pairs, tokens, dtype=torch.long, device="meta"),
                attention_mask=torch.zeros(2 * pairs, 1, tokens, tokens, dtype=mask_type, device="meta"),
                use_cache=False,
            )
    finally:
        for hook in hooks:
            hook.remove()
    by_layer = [after - before for before, after in zip(marks[::2], marks[1::2], strict=True)]
    hidden = inner.config.get_text_config().hidden_size
    return _Kept(sum(sizes.values()), by_layer, 2 * pairs * tokens * hidden * 2)


@contextmanager
def _as_trained() -> Iterator[None]:
    """Do on the meta device what a training does on its own: products in bfloat16 (autocast), attention fused."""
    import torch
    from torch.nn.functional import linear, scaled_dot_product_attention
    from torch.overrides import TorchFunctionMode

    products = {linear, torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.__matmul__}
    fused = _fused_attention()

    def halved(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
            return value.to(torch.bfloat16)
        return value

    class AsTrained(TorchFunctionMode):
        """Autocast knows no meta device, and attention falls back to products there."""

        def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
            if func is scaled_dot_product_attention:
                return fused(*(halved(value) for value in args[:3]))
            if func in products:
                args = tuple(halved(value) for value in args)
            return func(*args, **(kwargs or {}))

    with AsTrained():
        yield


def _fused_attention() -> Any:
    import torch

    class Fused(torch.autograd.Function):
        """Keeps what the fused kernels keep: inputs, output, and a log-sum for each row."""

        @staticmethod
        def forward(ctx: Any, query: "torch.Tensor", key: "torch.Tensor", value: "torch.Tensor") -> "torch.Tensor":
            out = torch.empty_like(query)
            ctx.save_for_backward(query, key, value, out, query.new_empty(query.shape[:-1], dtype=torch.float32))
            return out

    return Fused.apply

"""Shorter ways through a training step on a CPU, each taken only where it is seen to say what the long way says.

Prompts are encoded once for both answers (`shared_prompt.py`). And layers are compiled: half of a step on a CPU goes by
in small passes over activations, casts, norms, the adapters' sums, and torch.compile fuses them. It takes a C++
compiler and, the first time on a machine, about a minute, so it waits for trainings that are long enough. The code is
kept, in the process and at home, for trainings that put the same adapter on the same base.
"""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...home import home
from ..policy import without_wrapping
from ..scale.world import join_world
from ..settings import TrainSettings
from .completion_head import has_plain_head, score_responses_only
from .log_ratio import arithmetic, response_log_probs, tolerance
from .shared_prompt import sees_everything
from .side_by_side import Lanes

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

log = logging.getLogger(__name__)

PAYS_FROM = 12_000
"""Layers times pairs times epochs. Compiled, a pair takes about 6 ms a layer less, be it short or long: 70 s in all, a
little more than compiling takes the first time on a machine (from then on it takes 12 s)."""
REHEARSED = (48, 40, 30)
"""Tokens of prompt and answers of the pair that layers are compiled on. It is the same in every run: the code may
depend on the first shapes seen, and a resumed run must not compute with other code."""
ADAPTER = {"lora_rank", "lora_alpha", "target_modules", "use_rslora", "use_dora"}
"""The settings that an adapter's code depends on."""
COMPARED = 4
"""Pairs on which two ways are compared."""
_compared: set[str] = set()
"""Builds of models on which this process has found both ways to say the same."""
_compiled: list[str] = []
"""Of what build this process holds compiled code: torch finds it by a layer's source, whosever layer it is."""


def share_prompts(trainer: "DPOTrainer", settings: TrainSettings) -> bool:
    """Have each prompt encoded once for both its answers; say whether it is.

    A model that can't take the mask and the positions this needs (windows, recurrent layers) keeps to two rows.
    """
    policy = without_wrapping(trainer.model)
    if not _alone_on_a_cpu(trainer) or not has_plain_head(policy):
        return False
    if not sees_everything(policy):
        log.warning("%s encodes each prompt twice: its layers do not all see the whole text", settings.base_model)
        return False
    if (build := _build(trainer)) in _compared:
        score_responses_only(policy, lanes=Lanes(settings.in_memory))
        return True
    two_rows, expected = policy.forward, _log_probs(trainer)
    score_responses_only(policy, lanes=Lanes(settings.in_memory))
    try:
        _require_same(trainer, _log_probs(trainer), expected)
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        policy.forward = two_rows
        log.warning("%s encodes each prompt twice: %s", settings.base_model, error)
        return False
    _compared.add(build)
    return True


def compile_layers(trainer: "DPOTrainer", settings: TrainSettings) -> bool:
    """Compile the policy's layers where that pays or is asked for; say whether they are.

    Only passes with gradients run compiled. Where compiling fails the training goes on without. Code that an earlier
    training of this process has compiled for a model of the same build, and compared, is taken as it is.
    """
    if not (settings.torch_compile if settings.torch_compile is not None else _pays(trainer, settings)):
        return False
    import torch

    policy, build = without_wrapping(trainer.model), _build(trainer)
    layers = [module for module in policy.modules() if type(module).__name__ in (policy._no_split_modules or ())]
    plain, kept = [layer.forward for layer in layers], _compiled == [build]
    try:
        expected = None if kept else _log_probs(trainer)
        _keep_code_at_home()
        if not kept:
            # Code that torch makes for the second of two builds can be more general than what it makes for that one
            # alone, and the same training would then give other bits.
            torch._dynamo.reset()
        for layer in layers:
            layer.forward = _with_gradients(layer.forward)
        if expected is not None:
            _rehearse(trainer)
            _require_same(trainer, _log_probs(trainer, gradients=True), expected)
        _compiled[:] = [build]
    except Exception as error:  # the compiler is a world of its own: whatever is wrong there, training works without
        for layer, forward in zip(layers, plain, strict=True):
            layer.forward = forward
        _compiled.clear()
        why = next(iter(str(error).strip().splitlines()), "no reason given")
        log.warning(
            "the layers can't be compiled, so training takes about a third longer (%s: %s); install g++, "
            "or set train.torch_compile to false",
            type(error).__name__,
            why,
        )
        return False
    log.info("%d layers are compiled", len(layers))
    return True


def _keep_code_at_home() -> None:
    """Have torch keep compiled code in prefloop's home, not in a folder for everybody's scratch; unless told where."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    name = "TORCHINDUCTOR_CACHE_DIR"
    if os.environ.get(name, default_cache_dir()) == default_cache_dir():
        os.environ[name] = str(home() / "compiled")


def _alone_on_a_cpu(trainer: "DPOTrainer") -> bool:
    return trainer.accelerator.device.type == "cpu" and join_world().size == 1


def _pays(trainer: "DPOTrainer", settings: TrainSettings) -> bool:
    layers = without_wrapping(trainer.model).config.get_text_config().num_hidden_layers
    return _alone_on_a_cpu(trainer) and compiling_pays([settings], layers, len(trainer.train_dataset))


def compiling_pays(trainings: Sequence[TrainSettings], layers: int, pairs: int) -> bool:
    """Whether trainings on a CPU, one after the other in one process, win back the time that compiling takes them.

    Args:
        trainings: The settings of each.
        layers: Of the base.
        pairs: That each trains on.
    """
    if not all(one.use_peft and not one.quantization and not one.gradient_checkpointing for one in trainings):
        return False
    alike = len({one.model_dump_json(include=ADAPTER) for one in trainings}) == 1
    return layers * pairs * sum(one.epochs for one in trainings) >= PAYS_FROM * (1 if alike else len(trainings))


def _build(trainer: "DPOTrainer") -> str:
    """Return what a way of computing depends on: the model but for its weights, the adapter, the arithmetic."""
    policy = without_wrapping(trainer.model)
    return str((policy.config, getattr(trainer.model, "peft_config", None), arithmetic(trainer)))


def _with_gradients(forward: Any) -> Any:
    """Return a layer's forward pass that runs compiled where gradients are on: one variant, compiled once."""
    import torch

    fast = torch.compile(forward, dynamic=True)

    def choose(*args: Any, **kwargs: Any) -> Any:
        return (fast if torch.is_grad_enabled() else forward)(*args, **kwargs)

    return choose


def _rehearse(trainer: "DPOTrainer") -> None:
    """Go forward and back once over a made-up pair, and leave no trace."""
    import torch

    prompt, *answers = REHEARSED
    ids, mask = (torch.zeros((2, prompt + max(answers)), dtype=torch.long) for _ in range(2))
    scored = mask.clone()
    for row, answer in enumerate(answers):
        ids[row, : prompt + answer] = mask[row, : prompt + answer] = scored[row, prompt : prompt + answer] = 1
    with torch.random.fork_rng():
        _say(trainer, {"input_ids": ids, "attention_mask": mask, "completion_mask": scored}).sum().backward()
    trainer.model.zero_grad(set_to_none=True)


def _log_probs(trainer: "DPOTrainer", *, gradients: bool = False) -> "torch.Tensor":
    """Return the policy's log-probabilities of some pairs' responses, (2 x pairs)."""
    import torch

    with torch.set_grad_enabled(gradients):
        return _say(trainer, _some(trainer)).detach().sum(1)


def _some(trainer: "DPOTrainer") -> dict[str, "torch.Tensor"]:
    """Return a batch of short and long pairs."""
    rows = trainer.train_dataset
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]["prompt_ids"]))
    count = min(COMPARED, len(order))
    batch: dict[str, torch.Tensor] = trainer.data_collator(
        [rows[order[number * len(order) // count]] for number in range(count)]
    )
    return batch


def _say(trainer: "DPOTrainer", batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
    """Return the log-probabilities (2 x pairs, tokens - 1) as the trainer asks for them."""
    trainer.model.train()
    return response_log_probs(trainer, batch)


def _require_same(trainer: "DPOTrainer", found: "torch.Tensor", expected: "torch.Tensor") -> None:
    """Compare two ways on the same pairs.

    Raises:
        ArithmeticError: they differ by more than rounding explains.
    """
    apart, allowed = (found - expected).abs(), tolerance(trainer, _some(trainer)["completion_mask"].sum(1))
    if not bool((apart <= allowed).all()):
        raise ArithmeticError(f"a response's log-probability would be {float(apart.max()):.2f} off")

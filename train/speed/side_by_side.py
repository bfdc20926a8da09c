"""Passes through a model side by side on a CPU, each on cores of its own.

Cores share one pass badly: between its small matrix products lie norms, casts and the calls of all layers. Two passes
on one core each get further (docs/decisions/training-on-cpu.md). What a pass computes never depends on what runs beside
it, and gradients are added in a fixed order, so the same batch gives the same bits.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Pass = Callable[[], "tuple[torch.Tensor, ...]"]
"""A pass over one sequence. Gradients flow back through the first tensor that it returns."""


class Lanes:
    """Threads that share this machine's cores evenly."""

    def __init__(self, most: int) -> None:
        """Take as many lanes as there are cores, but no more than `most`, which is what there will be to do at once."""
        import torch

        self._together = _together()
        cores = torch.get_num_threads()
        self.count = max(1, min(cores, most))
        self._threads = ThreadPoolExecutor(
            self.count, initializer=torch.set_num_threads, initargs=(cores // self.count,)
        )

    def run(self, passes: Sequence[Pass], weights: "Sequence[torch.Tensor]") -> "list[tuple[torch.Tensor, ...]]":
        """Return what each pass returns, in their order; one that takes long had better stand first.

        Args:
            passes: All may run at the same time.
            weights: What is trained, in all of them. Without gradients it is not looked at.
        """
        import torch

        trained = list(weights) if torch.is_grad_enabled() else []
        made: list[tuple[torch.Tensor, ...]] = []
        firsts = self._together(self, passes, made, *trained)
        return [(first, *rest[1:]) for first, rest in zip(firsts, made, strict=True)]

    def _map(self, work: Callable[[Any], Any], items: Any, *, gradients: bool) -> Any:
        """Call `work` on each item in the threads, which know nothing of the caller's modes but what they are told."""
        import torch

        mixed, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def one(item: Any) -> Any:
            with torch.set_grad_enabled(gradients), torch.autocast("cpu", dtype=dtype, enabled=mixed):
                return work(item)

        return self._threads.map(one, items)


def _together() -> Any:
    """Build the autograd function here, so that importing this module does not import torch."""
    import torch

    class SideBySide(torch.autograd.Function):
        """Each pass has a graph of its own, hidden from the caller's, which sees one function of the weights."""

        @staticmethod
        def forward(ctx: Any, lanes: Lanes, passes: Any, made: Any, *weights: "torch.Tensor") -> Any:
            ctx.lanes, ctx.weights = lanes, weights
            found = list(lanes._map(lambda run: run(), passes, gradients=bool(weights)))
            ctx.firsts = [values[0] for values in found]
            made += found
            return tuple(first.detach() for first in ctx.firsts)

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(ctx: Any, *grads: "torch.Tensor") -> Any:
            def back(pair: Any) -> Any:
                return torch.autograd.grad(pair[0], ctx.weights, pair[1], allow_unused=True)

            total: list[torch.Tensor | None] = [None] * len(ctx.weights)
            for found in ctx.lanes._map(back, zip(ctx.firsts, grads, strict=True), gradients=False):
                total = [_add(sum_, grad) for sum_, grad in zip(total, found, strict=True)]
            ctx.firsts = []
            return None, None, None, *total

    return SideBySide.apply


def _add(total: "torch.Tensor | None", more: "torch.Tensor | None") -> "torch.Tensor | None":
    if total is None or more is None:
        return more if total is None else total
    return total.add_(more)

"""Which evaluation items the training data holds, and the results with and without them."""

from dataclasses import dataclass

from ...collect.sealing.contamination import Overlap
from ..estimate import Comparison


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One set of evaluation items."""

    name: str
    """`sealed`, `MT-Bench` or the file's name."""
    items: int
    overlapping: dict[str, str]
    """The strongest sign by the item's id: `exact`, `n-gram` or `near-duplicate`. An item of a sealed set is its prompt
    id, of a file its row from 1."""

    def count(self, kind: str) -> int:
        """Return how many items have this sign as their strongest."""
        return sum(found == kind for found in self.overlapping.values())


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One paired result, with all items and without those that the training data holds."""

    name: str
    everything: Comparison
    without: Comparison | None
    """None where not one item is left."""
    overlapping: tuple[str, ...]
    """The ids of the items that were taken out."""

    @property
    def changed(self) -> bool:
        """Whether the verdict is another one without them."""
        return self.without is not None and self.without.verdict != self.everything.verdict


@dataclass(frozen=True, slots=True)
class Contamination:
    """The training data against everything that was measured."""

    pairs: int
    """Training pairs that were looked at."""
    benchmarks: tuple[Benchmark, ...]
    overlaps: tuple[Overlap, ...]
    """Every training pair (`id`) with the item it holds (`file` is the benchmark, `row` the item's id)."""
    recomputed: tuple[Recomputed, ...] = ()
    unseen: tuple[str, ...] = ()
    """Models of earlier rounds whose training data is not here: nobody could look into it."""

    @property
    def overlapping(self) -> int:
        """How many evaluation items the training data holds."""
        return sum(len(benchmark.overlapping) for benchmark in self.benchmarks)

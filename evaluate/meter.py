"""How far an evaluation is: progress over parts of unlike cost, and the seconds that each took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ..runs import Progress

WORK = {"pair": 1, "prompt": 4, "question": 1, "game": 4}
"""About how long one of each takes beside the others, so that the progress grows evenly."""


@dataclass(slots=True)
class Meter:
    """Progress over parts of unlike cost, and the seconds that each took."""

    progress: Progress
    total: int
    done: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def counting(self, unit: str) -> Callable[[int], None]:
        """Return what is told how many more of a unit are done."""
        return partial(self.advance, unit)

    def advance(self, unit: str, count: int) -> None:
        """Add what is done to the progress."""
        self.done += WORK[unit] * count
        self.progress(self.done, self.total)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Take the time of what happens inside."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)

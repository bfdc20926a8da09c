"""From a published model back to the people: every step walked, every hash computed again."""

from .pair import PairWalk, find_pairs, pair_step
from .step import Check, Mark, Step, count_marks
from .walk import Trace, trace_release

__all__ = ["Check", "Mark", "PairWalk", "Step", "Trace", "count_marks", "find_pairs", "pair_step", "trace_release"]

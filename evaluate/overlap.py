"""What the training data holds of the material that was just measured, and the results without it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..collect.pair import PreferencePair
from .contamination import (
    Contamination,
    find_contamination,
    items_of_file,
    items_of_pairs,
    items_of_questions,
    with_and_without,
)
from .contamination.find import MT_BENCH, SEALED
from .material import Material
from .mt_bench import read_questions
from .settings import EvaluateSettings
from .statistics import Plan
from .tasks import task_files


@dataclass(frozen=True, slots=True)
class Scored:
    """One paired result, item by item."""

    name: str
    benchmark: str
    """What its items belong to: `sealed`, or a file's name."""
    base: Mapping[str, float]
    tuned: Mapping[str, float]
    clusters: Mapping[str, str] | None = None
    """The sealed prompt of each item, where that isn't the item's own name."""


def measure_overlap(
    training: Sequence[PreferencePair],
    material: Material,
    settings: EvaluateSettings,
    results: Iterable[Scored],
    plan: Plan,
    folder: Path,
) -> Contamination:
    """Look for every measured item in the training pairs, and compare both models without those that are there.

    Benchmark tasks are looked through where their data are the user's own files (`tasks.data_dir`), all rows of them.

    Args:
        training: What was trained on.
        material: The sealed pairs.
        settings: Which other material is measured.
        results: What is compared without the items that the training data holds.
        plan: How intervals are made.
        folder: The evaluation's.
    """
    against = {SEALED: items_of_pairs(material.pairs)}
    if settings.general:
        against[settings.general.data.name] = items_of_file(settings.general.data, settings.general.limit)
    if settings.mt_bench:
        against[MT_BENCH] = items_of_questions(read_questions(settings.mt_bench.questions))
    if settings.formats and settings.formats.data.is_file():
        against[settings.formats.data.name] = items_of_file(settings.formats.data, settings.formats.limit)
    if settings.tasks:
        files = task_files(settings.tasks, folder / "tasks")
        against |= {f"{path.parent.name}/{path.name}": items_of_file(path) for path in files}
    found = find_contamination(training, against)
    held = {benchmark.name: benchmark.overlapping for benchmark in found.benchmarks}
    recomputed = [
        with_and_without(row.name, row.base, row.tuned, held[row.benchmark], plan, row.clusters)
        for row in results
        if held.get(row.benchmark)
    ]
    return replace(found, recomputed=tuple(recomputed))

"""What the training data holds of the material that was just measured, and the results without it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..collect.pair import PreferencePair
from .contamination import (
    Contamination,
    items_of_file,
    items_of_pairs,
    items_of_questions,
    kept_contamination,
    with_and_without,
)
from .contamination.find import MT_BENCH, SEALED
from .material import Material
from .mt_bench import read_questions
from .settings import EvaluateSettings
from .statistics import Plan
from .subject import Subject
from .tasks import TaskItems, read_items

FILE = "contamination.json"


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
    subject: Subject,
    settings: EvaluateSettings,
    results: Iterable[Scored],
    plan: Plan,
    folder: Path,
    unseen: Sequence[str] = (),
) -> Contamination:
    """Look for every measured item in the training pairs, and compare both models without those that are there.

    Of benchmark tasks and MT-Bench it is the questions that were asked, wherever their data came from.

    Args:
        training: What was trained on.
        material: The sealed pairs.
        subject: Which models.
        settings: Which other material was measured.
        results: What is compared without the items that the training data holds.
        plan: How intervals are made.
        folder: The evaluation's.
        unseen: Models of earlier rounds whose training data is not here.
    """
    against = {SEALED: items_of_pairs(material.pairs)}
    if settings.general:
        against[settings.general.data.name] = items_of_file(settings.general.data, settings.general.limit)
    if settings.mt_bench:
        against[MT_BENCH] = items_of_questions(read_questions(settings.mt_bench.questions))
    if settings.formats and settings.formats.data.is_file():
        against[settings.formats.data.name] = items_of_file(settings.formats.data, settings.formats.limit)
    tasks = list(read_items(settings.tasks, subject, folder / "tasks")) if settings.tasks else []
    against |= {row.name: list(row.texts) for row in tasks}
    found = kept_contamination(folder / FILE, training, against)
    held = {benchmark.name: benchmark.overlapping for benchmark in found.benchmarks}
    recomputed = [
        with_and_without(row.name, row.base, row.tuned, held[row.benchmark], plan, row.clusters)
        for row in [*results, *_scored(tasks)]
        if held.get(row.benchmark)
    ]
    return replace(found, recomputed=tuple(recomputed), unseen=tuple(unseen))


def _scored(tasks: Iterable[TaskItems]) -> Iterator[Scored]:
    """Yield the tasks whose scores are shares; a metric of one's own may have another scale."""
    for row in tasks:
        base, tuned = row.scores["base"], row.scores["tuned"]
        if all(0 <= score <= 1 for score in (*base.values(), *tuned.values())):
            yield Scored(row.name, row.name, base, tuned, row.clusters)

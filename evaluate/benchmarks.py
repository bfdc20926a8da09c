"""What is measured beside the project's own data: benchmark tasks, the wording of questions, MT-Bench."""

from dataclasses import dataclass
from pathlib import Path

from ..runs import Progress, silent
from .formats import Formats, audit_formats
from .mt_bench.judging import read_material
from .mt_bench.result import MtBench
from .mt_bench.running import run_mt_bench
from .settings import EvaluateSettings
from .subject import Subject
from .tasks import TaskResults, check_tasks, run_tasks


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """Each that the settings ask for."""

    tasks: TaskResults | None
    formats: Formats | None
    mt_bench: MtBench | None


def check_benchmarks(subject: Subject, settings: EvaluateSettings, folder: Path) -> None:
    """Look for what would stop a benchmark in its middle, before anything long begins.

    Raises:
        UserError, Problems: data or packages are missing, or a file can't be used.
    """
    if settings.tasks:
        check_tasks(settings.tasks, subject, folder / "tasks")
    if settings.mt_bench:
        read_material(settings.mt_bench)


def run_benchmarks(
    subject: Subject, settings: EvaluateSettings, folder: Path, progress: Progress = silent
) -> Benchmarks:
    """Measure base and tuned model; called again after a kill it goes on from there.

    Args:
        subject: Base and tuned model.
        settings: Which benchmarks.
        folder: Keeps what is measured.
        progress: Called with work done and work in all, for each benchmark anew.

    Raises:
        UserError, Problems: as `check_benchmarks`, or the judge can't be asked.
    """
    tasks = formats = mt_bench = None
    if settings.tasks:
        tasks = run_tasks(settings.tasks, subject, folder / "tasks", progress=progress)
    if settings.formats:
        formats = audit_formats(settings.formats, subject, folder / "formats", progress=progress)
    if settings.mt_bench:
        mt_bench = run_mt_bench(subject, settings.mt_bench, folder=folder / "mt_bench", progress=progress)
    return Benchmarks(tasks, formats, mt_bench)

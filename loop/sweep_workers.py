"""Who does the cells of a sweep: this process, one process a GPU, or several that share the cores."""

import logging
import logging.handlers
import multiprocessing
import os
import queue
import signal
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from ..errors import Interrupted, UserError
from ..runs import Progress, read_lines
from ..train.sweep import Cell
from .sweep_cells import PART, Advance, Job, read_by, work

ANSWER_EVERY = 0.5
"""Seconds between two looks at whether the workers are still there."""
MEMORY = {"batch_size", "micro_batch_size", "max_length", "gradient_checkpointing", "use_dora", "quantization", "sft"}
"""Settings that decide how much memory a training takes, beside base and pairs."""
MARGIN = 1.1
"""A tenth of the memory is to spare."""


def gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES would be for each GPU that this process may use."""
    import torch

    if not torch.cuda.is_available():
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]


def run_cells(job: Job, devices: Sequence[str], progress: Progress) -> None:
    """Finish every cell that can be finished; a training that fails is written down and the others go on.

    Args:
        job: The cells and what they need.
        devices: A worker's CUDA_VISIBLE_DEVICES each; with one, all is done in this process, with none on the CPU.
        progress: Called with hundredths of cells done, and their number.

    Raises:
        Interrupted: somebody asked to stop.
        UserError: a worker was killed.
    """
    total, open_cells = PART * len(job.cells), [cell for cell in job.cells if not job.done(cell)]
    for cell in open_cells:
        job.failed(cell).unlink(missing_ok=True)
    before = PART * (len(job.cells) - len(open_cells))
    progress(before, total)
    parts: dict[str, int] = {}

    def advance(name: str, part: int) -> None:
        parts[name] = part
        progress(before + sum(parts.values()), total)

    if not devices:
        _on_cores(job, open_cells, advance)
    elif min(len(devices), len(open_cells)) < 2:
        work(job, advance)
    else:
        _in_processes(job, devices[: len(open_cells)], advance)
    progress(total, total)  # the workers' last words may be lost


def _on_cores(job: Job, open_cells: Sequence[Cell], advance: Advance) -> None:
    """Do several cells at a time where there is work enough, and cores and memory for it.

    Two processes of one thread get a third further than one of two, whose threads wait for each other's Python.
    """
    import torch

    cores = torch.get_num_threads()
    if job.long and cores > 1 and len(open_cells) > 1 and _need_alike(job):
        count = min(cores, len(open_cells), _fitting(job))
        if count > 1:
            even = tuple(open_cells[: len(open_cells) // count * count])
            _in_processes(replace(job, cells=even), [""] * count, advance, threads=cores // count)
    work(job, advance)  # what is over has all cores to itself


def _need_alike(job: Job) -> bool:
    return len({cell.train.model_dump_json(include=MEMORY) for cell in job.cells}) == 1


def _fitting(job: Job) -> int:
    """Return how many trainings the free memory holds, by what finished ones took, or else one step."""
    import psutil

    from ..train.checks.fit import room

    finished = [job.folder / "cells" / cell.name / "metrics.jsonl" for cell in job.cells if job.done(cell)]
    peak = max((row["memory_mb"] * 2**20 for path in finished for row in read_lines(path)[-1:]), default=None)
    peak = peak or _measured(job)
    free = room()[1] - psutil.Process().memory_info().rss
    return int(free / (MARGIN * peak)) if peak else 0


def _measured(job: Job) -> int | None:
    """Return what a step takes in a process of its own, which gives the memory back; None where it came to no end."""
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _beside) as pool:
            return pool.submit(step_memory, job).result()
    except BrokenProcessPool:  # killed, mostly by a system that is short of memory
        return None


def _beside() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    _as_on_the_terminal()


def _as_on_the_terminal() -> None:
    """Leave out what libraries tell their developers, as `console.py` does."""
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)


def step_memory(job: Job) -> int | None:
    """Return the memory that a step of the first cell takes (bytes); None where it can't be taken."""
    from ..train import load_training_tokenizer
    from ..train.checks.measure import measure_step
    from ..train.checks.preflight import preflight

    cell = job.cells[0]
    pairs, tokenizer = read_by(cell, job.training), load_training_tokenizer(job.base, cell.train)
    try:
        longest = preflight(pairs, cell.train, tokenizer, base=job.base.path).longest
        return measure_step(pairs, cell.train, base=job.base, tokenizer=tokenizer, longest=longest).peak
    except UserError:  # the cell itself will say it
        return None


def _in_processes(job: Job, devices: Sequence[str], advance: Advance, *, threads: int | None = None) -> None:
    context = multiprocessing.get_context("spawn")
    news: Any = context.Queue()
    workers = [context.Process(target=_worker, args=(job, device, threads, news), daemon=True) for device in devices]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            try:
                told = news.get(timeout=ANSWER_EVERY)
            except queue.Empty:
                continue
            if isinstance(told, logging.LogRecord):
                logging.getLogger(told.name).handle(told)
            else:
                advance(*told)
    except (KeyboardInterrupt, Interrupted) as error:
        for worker in workers:
            if worker.is_alive() and worker.pid:
                os.kill(worker.pid, signal.SIGINT)
        raise Interrupted("stopped; the same command goes on from there", 128 + signal.SIGINT) from error
    finally:
        for worker in workers:
            worker.join()
    if lost := [str(worker.exitcode) for worker in workers if worker.exitcode]:
        raise UserError(
            f"{len(lost)} of {len(workers)} workers ended with {', '.join(lost)} (-9 is mostly a system short of "
            "memory); finished trainings are kept, and the same command goes on"
        )


def _worker(job: Job, device: str, threads: int | None, news: Any) -> None:
    """Work on one GPU, or on a share of the cores; end when the parent is gone, even if it was killed."""
    os.setpgrp()  # Ctrl-C reaches the parent alone, which passes it on once
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    _as_on_the_terminal()
    logging.getLogger().addHandler(logging.handlers.QueueHandler(news))
    if threads:
        import torch

        torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()

    def advance(name: str, part: int) -> None:
        if parent and not parent.is_alive():
            raise SystemExit(1)
        news.put((name, part))

    try:
        work(job, advance)
    except (KeyboardInterrupt, Interrupted):
        news.cancel_join_thread()

from collections.abc import Callable
from typing import Any

import pytest
from prefloop.evaluate.leaderboard import Benchmark


def run(benchmarks: tuple[Benchmark, ...], raw: Callable[[str], float]) -> dict[str, Any]:
    """What lm-eval returns for whole benchmarks, with its standard errors of scores of 0 and 1."""
    results: dict[str, Any] = {"results": {}, "n-samples": {}, "n-shot": {}, "group_subtasks": {}}
    for benchmark in benchmarks:
        for subtask in benchmark.subtasks:
            value, n = raw(subtask.task), subtask.questions
            entry: dict[str, Any] = {"name": subtask.task, "alias": subtask.task, "sample_len": n}
            for metric in benchmark.metrics:
                name, _, kind = metric.partition(",")
                entry |= {metric: value, f"{name}_stderr,{kind}": (value * (1 - value) / (n - 1)) ** 0.5}
            results["results"][subtask.task] = entry
            results["n-samples"][subtask.task] = {"original": n, "effective": n}
            results["n-shot"][subtask.task] = benchmark.shots
    return results


@pytest.fixture(name="run")
def _run() -> Callable[..., dict[str, Any]]:
    return run

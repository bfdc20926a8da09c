"""Is the demonstration's result a matter of luck? Train and evaluate it again with other seeds.

    .venv/bin/python -P benchmarks/seeds.py runs/demo 0 1 2

Needs a run whose votes are pulled. Prints a JSON object a seed, and fails if one does not win; the numbers in
docs/benchmarks.md come from here.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from prefloop.demo import demo_recipe
from prefloop.loop import evaluate_run, train_adapter
from prefloop.recipe import resolved
from prefloop.runs import open_run


def try_seed(source: Path, seed: int) -> dict[str, Any]:
    """Train and evaluate a copy of the run with this seed; leave out what does not depend on preference."""
    recipe = demo_recipe([f"train.seed={seed}", "evaluate.general=null"], label=False, merged=False)
    folder = source.with_name(f"{source.name}-seed-{seed}")
    run = open_run(folder, resolved(recipe), overwrite=True)
    shutil.copytree(source / "collect", folder / "collect")
    started = time.monotonic()
    adapter = train_adapter(run, recipe)
    trained = time.monotonic()
    report = evaluate_run(run, recipe)
    preference = report.preference
    return {
        "seed": seed,
        "train_seconds": round(trained - started),
        "evaluate_seconds": round(time.monotonic() - trained),
        "pairs_per_second": round(adapter.pairs_per_second, 2),
        "base": preference.normalised.base.value,
        "tuned": preference.normalised.tuned.value,
        "difference": [getattr(preference.normalised.difference, part) for part in ("value", "low", "high")],
        "over_length_rule": [getattr(preference.over_rule, part) for part in ("value", "low", "high")],
        "slices": {row.tag: [row.accuracy.base.value, row.accuracy.tuned.value] for row in preference.slices},
        "check": {row.name: [row.rate.base.value, row.rate.tuned.value] for row in report.check.criteria},
    }


def main(source: str, *seeds: str) -> int:
    """Return 0 if every seed beats both the base and the better length rule, intervals and all."""
    won = True
    for seed in seeds:
        row = try_seed(Path(source), int(seed))
        print(json.dumps(row), flush=True)
        won = won and row["difference"][1] > 0 and row["over_length_rule"][1] > 0
    return 0 if won else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

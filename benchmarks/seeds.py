"""Is the demonstration's result a matter of luck? Train and evaluate it again with other seeds.

    .venv/bin/python -P benchmarks/seeds.py runs/demo 0 1 2

Needs a run whose votes are pulled. Prints a JSON object a seed; the numbers in docs/benchmarks.md come from here.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from prefloop.demo import demo_recipe
from prefloop.loop import evaluate_run, train_adapter
from prefloop.recipe import resolved
from prefloop.runs import open_run


def try_seed(source: Path, seed: int) -> dict[str, object]:
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


if __name__ == "__main__":
    for number in sys.argv[2:]:
        print(json.dumps(try_seed(Path(sys.argv[1]), int(number))), flush=True)

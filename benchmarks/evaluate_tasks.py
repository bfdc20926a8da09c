"""Log-likelihood tasks: prefloop's whole command against lm-eval's own, on the same questions; and cold against warm.

PREFLOOP_TEST_DATA=… python benchmarks/evaluate_tasks.py MODEL [questions] [rounds] [tasks]

Both commands are timed from their start to their end, in turns, each in a process of its own, offline, on the same task
files: lm-eval gets the command that prefloop prints. Then their scores must be equal to the last digit, question by
question. Warm is prefloop's command once more.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = Path(sys.executable).parent


def timed(command: list[str]) -> tuple[float, str]:
    """Run a command; return its seconds and what it wrote to stdout."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr[-3000:]}")
    return time.monotonic() - start, done.stdout


def prefloop(model: str, questions: int, tasks: str, keep: Path) -> tuple[float, dict]:
    """Run prefloop's command; return its seconds and its result."""
    said = [str(PROGRAMS / "prefloop"), "bench", "tasks", model, "--tasks", tasks, "--limit", str(questions), "--json"]
    seconds, out = timed([*said, "--data-dir", os.environ["PREFLOOP_TEST_DATA"], "--keep", str(keep)])
    return seconds, json.loads(out)


def lm_eval(command: str, into: Path) -> tuple[float, dict[str, list[dict]]]:
    """Run lm-eval's command; return its seconds, and each task's samples."""
    program, *rest = shlex.split(command)
    seconds, _ = timed([str(PROGRAMS / program), *rest, "--log_samples", "--output_path", str(into)])
    found: dict[str, list[dict]] = {}
    for path in into.rglob("samples_*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found[path.stem.removeprefix("samples_").rsplit("_", 1)[0]] = sorted(rows, key=lambda row: row["doc_id"])
    return seconds, found


def differing(keep: Path, samples: dict[str, list[dict]]) -> tuple[int, int]:
    """Return on how many questions the two disagree in any metric, and how many there are."""
    wrong = total = 0
    for path in (keep / "outcomes").glob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        for item, row in zip(kept["outcome"]["items"], samples[kept["task"]], strict=True):
            theirs = {f"{name},{row['filter']}": float(row[name]) for name in row["metrics"]}
            wrong += item["doc_hash"] != row["doc_hash"] or item["metrics"] != theirs
            total += 1
    return wrong, total


def main() -> None:
    """Print the table."""
    model, questions = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    rounds, tasks = int(sys.argv[3]) if len(sys.argv) > 3 else 3, sys.argv[4] if len(sys.argv) > 4 else "arc,hellaswag"
    load = os.getloadavg()[0]
    ours, theirs, warm, differ = [], [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            keep, into = Path(scratch) / f"ours{number}", Path(scratch) / f"theirs{number}"
            seconds, found = prefloop(model, questions, tasks, keep)
            ours.append(seconds)
            seconds, samples = lm_eval(found["commands"][0], into)
            theirs.append(seconds)
            differ.append(differing(keep, samples))
            warm.append(prefloop(model, questions, tasks, keep)[0])
    asked = differ[0][1]
    print(f"{asked} questions of {tasks}, {Path(model).name}, {rounds} rounds in turns; load {load:.1f} at the start,")
    print(f"{os.getloadavg()[0]:.1f} at the end, {os.cpu_count()} cores\n")
    print("| whole command | median s | all |\n|---|---|---|")
    for name, column in (("lm-eval", theirs), ("prefloop", ours), ("prefloop, again", warm)):
        print(f"| {name} | {statistics.median(column):.1f} | {', '.join(f'{one:.1f}' for one in column)} |")
    print(f"\nQuestions on which the two differ: {sum(wrong for wrong, _ in differ)} of {sum(n for _, n in differ)}.")


main()

"""The trackers' own clients, writing to this machine: what they show is what metrics.jsonl has."""

import importlib.util
import json
import sqlite3
import subprocess
import sys

import pytest
from prefloop.train import TrainSettings, train_dpo
from prefloop.train.watching.held_out import HeldOutSettings

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # in the trackers' own imports
]

QUICK = TrainSettings(
    learning_rate=1e-3,
    batch_size=4,
    max_length=128,
    lora_rank=4,
    held_out=HeldOutSettings(share=0.4, at_least=2, every=1),
)
SHOWN = ("train/loss", "train/pairs_per_second", "train/memory_mb", "eval/rewards/accuracies", "eval/over_longer_low")


def missing(name):
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"the {name} extra is not installed")


def unlike(make_pairs):
    """Pairs whose prompts are no near-duplicates of one another."""
    from dataclasses import replace

    from prefloop.collect import Message

    words = ("apples", "bridges", "cats", "doors", "eggs", "flutes", "grapes", "hats", "inks", "jars")
    return [
        replace(pair, prompt=(Message("user", " ".join(f"{word}{number}" for word in words)),))
        for number, pair in enumerate(make_pairs(10))
    ]


def logged(folder, name):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


@missing("tensorboard")
def test_tensorboard_shows_what_was_measured(tiny_model, make_pairs, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    chosen = QUICK.model_copy(update={"report_to": ("tensorboard",)})
    train_dpo(unlike(make_pairs), chosen, base=tiny_model, folder=tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(SHOWN) <= set(events.Tags()["scalars"])
    seen = [event.value for event in events.Scalars("eval/rewards/margins")]
    assert seen == pytest.approx(logged(tmp_path, "eval_rewards/margins"), abs=1e-6)


@missing("trackio")
def test_trackio_shows_what_was_measured_and_prints_nothing(tiny_model, make_pairs, tmp_path):
    """In a process of its own, because Trackio settles where its files lie when it is imported."""
    from prefloop.collect import write_rows

    write_rows(tmp_path / "pairs.jsonl", unlike(make_pairs))
    script = (
        "import sys\nfrom pathlib import Path\nfrom prefloop.collect import read_pairs\n"
        "from prefloop.models import resolve_model\nfrom prefloop.train import TrainSettings, train_dpo\n"
        "settings, base, folder = sys.argv[1:]\n"
        "train_dpo(read_pairs(Path(folder) / 'pairs.jsonl'), TrainSettings.model_validate_json(settings),"
        " base=resolve_model(base), folder=Path(folder) / 'train')\n"
    )
    chosen = QUICK.model_copy(update={"report_to": ("trackio",)}).model_dump_json()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TRACKIO_DIR": str(tmp_path / "trackio")}
    done = subprocess.run(
        [sys.executable, "-c", script, chosen, str(tiny_model.path), str(tmp_path)],
        env=environment | {"HF_HUB_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    with sqlite3.connect(tmp_path / "trackio" / "prefloop.db") as database:
        rows = [json.loads(metrics) for (metrics,) in database.execute("SELECT metrics FROM metrics ORDER BY step")]
    assert set(SHOWN) <= {name for row in rows for name in row}
    seen = [row["eval/rewards/margins"] for row in rows if "eval/rewards/margins" in row]
    assert seen == pytest.approx(logged(tmp_path / "train", "eval_rewards/margins"), abs=1e-6)

"""One turn of the loop: the phases of a run, each from files to files, so that any of them can be run again alone."""

from .checking import Checked, check_items
from .collecting import (
    Collected,
    await_votes,
    collection_summary,
    connect,
    pull_votes,
    push_items,
    replay_votes,
)
from .evaluating import evaluate_run, seal_status
from .exporting import export_run
from .importing import adopt_votes, import_data
from .judging import adjudicate, measure_quality, report_quality
from .publishing import Published, look_run, publish_folder, publish_run, release_run
from .queues import check_push, find_people, invite_people, migrate_queues, queues_status
from .sampling import Scored, sample_items, score_pool, select_items
from .sweeping import run_sweep, sweep_settings
from .training import check_training, train_adapter

__all__ = [
    "Checked",
    "Collected",
    "Published",
    "Scored",
    "adjudicate",
    "adopt_votes",
    "await_votes",
    "check_items",
    "check_push",
    "check_training",
    "collection_summary",
    "connect",
    "evaluate_run",
    "export_run",
    "find_people",
    "import_data",
    "invite_people",
    "look_run",
    "measure_quality",
    "migrate_queues",
    "publish_folder",
    "publish_run",
    "pull_votes",
    "push_items",
    "queues_status",
    "release_run",
    "replay_votes",
    "report_quality",
    "run_sweep",
    "sample_items",
    "score_pool",
    "seal_status",
    "select_items",
    "sweep_settings",
    "train_adapter",
]

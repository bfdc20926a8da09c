"""One turn of the loop: the phases of a run, each from files to files, so that any of them can be run again alone."""

from .collecting import (
    Collected,
    await_votes,
    collection_summary,
    connect,
    pull_votes,
    push_items,
    replay_votes,
)
from .evaluating import evaluate_run, release_run
from .queues import migrate_queues, queues_status
from .training import check_training, train_adapter

__all__ = [
    "Collected",
    "await_votes",
    "check_training",
    "collection_summary",
    "connect",
    "evaluate_run",
    "migrate_queues",
    "pull_votes",
    "push_items",
    "queues_status",
    "release_run",
    "replay_votes",
    "train_adapter",
]

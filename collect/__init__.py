"""People's judgements in, preference pairs out. Knows Argilla."""

from .agreement import Agreement, agreement
from .files import read_items, read_pairs, read_votes, write_rows
from .item import Candidate, Item, Message, Origin
from .pair import PreferencePair
from .policy import PairSettings
from .queues.annotators import Annotator, Person, check_names, ensure_annotators, invite, read_people
from .queues.argilla import Argilla
from .queues.carrying import Migrated, restore
from .queues.form import FormSettings
from .queues.migrate import migrate
from .queues.private import Planned, features, items_over, send_plan
from .queues.pull import Pulled, pull, with_seconds
from .queues.queue import (
    Pushed,
    Queue,
    QueueStatus,
    ensure_workspace,
    find_queue,
    open_queue,
    push,
    queue_status,
    read_guidelines,
)
from .queues.queueing import QueueingSettings, check_places, missing_on_stock, read_gold
from .queues.replay import replay
from .queues.skills import Share, Shares, share_out
from .rankings import originals, pairwise
from .sealing.sealed import Sealed, find_sealed, open_seal, read_openings, read_sealed, refuse_sealed, seal, split_pairs
from .settings import CollectSettings
from .sides import read_side_key
from .verdict import Pairs, Verdict, make_pairs, verdict
from .vote import Vote

__all__ = [
    "Agreement",
    "Annotator",
    "Argilla",
    "Candidate",
    "CollectSettings",
    "FormSettings",
    "Item",
    "Message",
    "Migrated",
    "Origin",
    "PairSettings",
    "Pairs",
    "Person",
    "Planned",
    "PreferencePair",
    "Pulled",
    "Pushed",
    "Queue",
    "QueueStatus",
    "QueueingSettings",
    "Sealed",
    "Share",
    "Shares",
    "Verdict",
    "Vote",
    "agreement",
    "check_names",
    "check_places",
    "ensure_annotators",
    "ensure_workspace",
    "features",
    "find_queue",
    "find_sealed",
    "invite",
    "items_over",
    "make_pairs",
    "migrate",
    "missing_on_stock",
    "open_queue",
    "open_seal",
    "originals",
    "pairwise",
    "pull",
    "push",
    "queue_status",
    "read_gold",
    "read_guidelines",
    "read_items",
    "read_openings",
    "read_pairs",
    "read_people",
    "read_sealed",
    "read_side_key",
    "read_votes",
    "refuse_sealed",
    "replay",
    "restore",
    "seal",
    "send_plan",
    "share_out",
    "split_pairs",
    "verdict",
    "with_seconds",
    "write_rows",
]

"""People's judgements in, preference pairs out. Knows Argilla."""

from .agreement import Agreement, agreement
from .annotators import Annotator, Person, check_names, ensure_annotators, invite, read_people
from .argilla import Argilla
from .carrying import Migrated, restore
from .files import read_items, read_pairs, read_votes, write_rows
from .form import FormSettings
from .item import Candidate, Item, Message, Origin
from .migrate import migrate
from .pair import PreferencePair
from .policy import PairSettings
from .private import Planned, features, items_over, send_plan
from .pull import Pulled, pull, with_seconds
from .queue import (
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
from .queueing import QueueingSettings, check_places, missing_on_stock, read_gold
from .rankings import originals, pairwise
from .replay import replay
from .sealed import Sealed, find_sealed, open_seal, read_openings, read_sealed, refuse_sealed, seal, split_pairs
from .settings import CollectSettings
from .sides import read_side_key
from .skills import Share, Shares, share_out
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

"""People's judgements in, preference pairs out. Knows Argilla."""

from .agreement import Agreement, agreement
from .annotators import Annotator, Person, check_names, ensure_annotators, invite, read_people
from .argilla import Argilla
from .files import read_items, read_pairs, read_votes, write_rows
from .form import FormSettings
from .item import Candidate, Item, Message, Origin
from .migrate import Migrated, migrate, restore
from .pair import PreferencePair
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
    "Pairs",
    "Person",
    "PreferencePair",
    "Pulled",
    "Pushed",
    "Queue",
    "QueueStatus",
    "Sealed",
    "Share",
    "Shares",
    "Verdict",
    "Vote",
    "agreement",
    "check_names",
    "ensure_annotators",
    "ensure_workspace",
    "find_queue",
    "find_sealed",
    "invite",
    "make_pairs",
    "migrate",
    "open_queue",
    "open_seal",
    "originals",
    "pairwise",
    "pull",
    "push",
    "queue_status",
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
    "share_out",
    "split_pairs",
    "verdict",
    "with_seconds",
    "write_rows",
]

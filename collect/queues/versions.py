"""The versions of a queue: what their datasets are called.

Argilla freezes a published form, so a queue with another form is another dataset: `replies`, then `replies.v2`,
`replies.v3`. A recipe's queue has no dot in its name, so that a version of one queue is never taken for another queue.
While votes are being carried over, the new version is called `replies.v2.unfinished`. (Argilla 2.8 answers a change of
a dataset's metadata with HTTP 200 and stores nothing; a new name it does store, at once or not at all.)
"""

import re
from dataclasses import dataclass

from .argilla import Argilla, Json

UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class VersionName:
    """A dataset's name, taken apart."""

    queue: str
    version: int = 1
    finished: bool = True

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.queue + (f".v{self.version}" if self.version > 1 else "") + ("" if self.finished else UNFINISHED)


def version_name(dataset: str) -> VersionName:
    """Take a dataset's name apart."""
    found = re.fullmatch(r"(?P<queue>.*?)(\.v(?P<version>\d+))?(?P<mark>\.unfinished)?", dataset, flags=re.DOTALL)
    assert found is not None  # every part but the first may be missing
    return VersionName(found["queue"], int(found["version"] or 1), not found["mark"])


def queue_versions(argilla: Argilla, queue: str, workspace_id: str) -> dict[int, Json]:
    """Return the datasets that are versions of a queue, the newest first; the newest may be unfinished."""
    rows = {version_name(row["name"]): row for row in argilla.items(f"/me/datasets?workspace_id={workspace_id}")}
    newest_first = sorted(rows, key=lambda name: name.version, reverse=True)
    return {name.version: rows[name] for name in newest_first if name.queue == queue}


def is_unfinished(dataset: Json) -> bool:
    """Whether votes were being carried over into this version when that was stopped."""
    return not version_name(dataset["name"]).finished

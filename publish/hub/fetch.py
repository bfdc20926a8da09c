"""Releases come back from the Hub, and are listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import hub_client
from .failures import translated
from .patience import patiently
from .plan import CARD, Kind

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

OURS = "prefloop"
"""The tag in the metadata of every card that prefloop writes."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository's files on this machine, in the Hub client's cache: read them, never write there."""

    folder: Path
    repo: str
    kind: Kind
    revision: str
    """The full commit hash."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A release on the Hub, as its newest commit has it."""

    repo: str
    revision: str
    tags: tuple[str, ...]
    """The tags of its repository (v1, v2 …)."""
    card: dict[str, Any]
    """The metadata at the head of its card; empty if there is no card."""
    updated: datetime | None
    private: bool


def fetch(repo: str, revision: str | None = None, *, kind: Kind, only: Sequence[str] = ()) -> Fetched:
    """Download a repository, or the files that match a pattern in `only`. What is here already is not loaded again.

    Args:
        repo: `owner/name`.
        revision: A tag, a branch or a commit; None for the newest state.
        kind: What it is.
        only: Patterns like `*.json`; none for everything.

    Raises:
        UserError: it is not there, may not be seen, or the net failed and it is not in the cache.
    """
    with translated(repo), hub_client() as api:
        patterns = list(only) or None
        folder = Path(
            patiently(lambda: api.snapshot_download(repo, revision=revision, repo_type=kind, allow_patterns=patterns))
        )
    return Fetched(folder, repo, kind, folder.name)  # the cache names a snapshot by its commit


def list_releases(author: str) -> list[Listed]:
    """Return the models of a user or an organisation that were published with prefloop, as far as the token may see.

    Raises:
        UserError: the Hub can't be asked.
    """
    with translated(author), hub_client() as api:
        found = patiently(lambda: list(api.list_models(author=author, filter=OURS, full=True)))
        return [_listed(api, info) for info in found]


def _listed(api: "HfApi", info: "ModelInfo") -> Listed:
    from huggingface_hub import metadata_load
    from huggingface_hub.errors import EntryNotFoundError

    refs = patiently(lambda: api.list_repo_refs(info.id))
    try:
        card = metadata_load(patiently(lambda: api.hf_hub_download(info.id, CARD, revision=info.sha)))
    except EntryNotFoundError:
        card = None
    tags = tuple(tag.name for tag in refs.tags)
    return Listed(info.id, str(info.sha), tags, card or {}, info.last_modified, bool(info.private))

"""What a push would change: a folder beside what is on the Hub."""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .client import hub_client
from .failures import translated
from .patience import patiently

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

Kind = Literal["model", "dataset"]
CARD = "README.md"
MARKS = {"model": ("release.json", "files"), "dataset": ("lineage.json", "sha256")}
"""The file that names all others of a release, and where in it."""
TRAILER = "Prefloop-Release:"
"""A line of a commit's message: the release's content hash follows."""
TAG = re.compile(r"v([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class There:
    """A repository as it is on the Hub."""

    head: str
    """The newest commit of its main branch."""
    private: bool
    files: "Mapping[str, RepoFile]"
    releases: tuple[str, ...]
    """The commits that prefloop made, the newest first."""
    tags: Mapping[str, str]
    """The commit of every tag."""

    @property
    def untagged(self) -> str | None:
        """The newest release, if a kill came between its commit and its tag."""
        newest = next(iter(self.releases), None)
        return None if newest is None or self.tag(newest) else newest

    def tag(self, commit: str) -> str | None:
        """Return the release tag of a commit, the newest one."""
        found = [name for name, target in self.tags.items() if target == commit and TAG.fullmatch(name)]
        return max(found, key=_number, default=None)

    @property
    def next_tag(self) -> str:
        """The tag of the next release."""
        return f"v{max((_number(name) for name in self.tags), default=0) + 1}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would do."""

    repo: str
    kind: Kind
    there: There | None
    """None: the repository would be made."""
    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    """Files of the last release that the new one does not have. Files that others put there stay."""
    same: tuple[str, ...]
    card_diff: str
    """The card there beside the new one, as a unified diff; empty where nothing is there or nothing differs."""
    card_edited: bool
    """Whether the card there is not the one of the last release: somebody wrote in it."""

    @property
    def nothing_new(self) -> bool:
        """Whether everything is on the Hub already."""
        return not (self.added or self.changed or self.deleted)


def plan_push(folder: Path, repo: str, *, kind: Kind) -> Plan:
    """Compare a folder with the repository that it would be pushed to. Changes nothing.

    Raises:
        UserError: the Hub can't be asked.
    """
    with translated(repo), hub_client() as api:
        return compare(api, folder, repo, kind)


def compare(api: "HfApi", folder: Path, repo: str, kind: Kind) -> Plan:
    """As `plan_push`, with a client."""
    here = local_files(folder)
    there = look(api, repo, kind)
    if there is None:
        return Plan(repo, kind, None, tuple(here), (), (), (), "", False)
    added = tuple(name for name in here if name not in there.files)
    same = tuple(name for name, path in here.items() if name in there.files and is_same(path, there.files[name]))
    changed = tuple(name for name in here if name not in {*added, *same})
    last = next(iter(there.releases), None)
    ours = _files_of(api, repo, kind, last) if last else frozenset[str]()
    deleted = tuple(sorted((ours & there.files.keys()) - here.keys()))
    mark = MARKS[kind][0]
    if changed == (mark,) and not added and not deleted and _only_written_later(api, folder, repo, kind, there.head):
        changed, same = (), (*same, mark)
    diff, edited = _card(api, folder, repo, kind, there) if CARD in changed else ("", False)
    return Plan(repo, kind, there, added, changed, deleted, same, diff, edited)


def look(api: "HfApi", repo: str, kind: Kind) -> There | None:
    """Return what is on the Hub, None where nothing is, or nothing that the token may see."""
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        info = patiently(lambda: api.repo_info(repo, repo_type=kind))
    except RepositoryNotFoundError:
        return None
    head = str(info.sha)
    tree = patiently(lambda: list(api.list_repo_tree(repo, recursive=True, revision=head, repo_type=kind)))
    commits = patiently(lambda: api.list_repo_commits(repo, revision=head, repo_type=kind))
    refs = patiently(lambda: api.list_repo_refs(repo, repo_type=kind))
    return There(
        head,
        bool(info.private),
        {row.path: row for row in tree if isinstance(row, RepoFile)},
        tuple(row.commit_id for row in commits if TRAILER in row.message),
        {tag.name: tag.target_commit for tag in refs.tags},
    )


def local_files(folder: Path) -> dict[str, Path]:
    """Return a folder's files by their paths within it, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def is_same(path: Path, there: "RepoFile") -> bool:
    """Say whether a file is the one on the Hub, by hash: git's for small files, SHA-256 for large ones."""
    from huggingface_hub.utils.sha import git_hash

    if there.lfs is None:
        return path.stat().st_size == there.size and git_hash(path.read_bytes()) == there.blob_id
    if path.stat().st_size != there.lfs.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == there.lfs.sha256


def content_hash(folder: Path, kind: Kind) -> str:
    """Return the hash of all a release says: of every file but the one that tells when it was written."""
    whole = hashlib.sha256()
    for name, path in local_files(folder).items():
        if (kind, name) != ("model", MARKS["model"][0]):
            with path.open("rb") as file:
                whole.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def _number(tag: str) -> int:
    found = TAG.fullmatch(tag)
    return int(found[1]) if found else 0


def _read(api: "HfApi", repo: str, kind: Kind, name: str, revision: str) -> str:
    path = patiently(lambda: api.hf_hub_download(repo, name, revision=revision, repo_type=kind))
    return Path(path).read_text(encoding="utf-8")


def _files_of(api: "HfApi", repo: str, kind: Kind, revision: str) -> frozenset[str]:
    """Return the files of a release by its own list."""
    mark, key = MARKS[kind]
    return frozenset({mark, CARD, *json.loads(_read(api, repo, kind, mark, revision))[key]})


def _only_written_later(api: "HfApi", folder: Path, repo: str, kind: Kind, head: str) -> bool:
    """Say whether the mark differs in nothing but when it was written, and who was then to see it."""
    mark, aside = MARKS[kind][0], {"created": None, "private": None}
    old, new = json.loads(_read(api, repo, kind, mark, head)), json.loads((folder / mark).read_text(encoding="utf-8"))
    return bool(old | aside == new | aside)


def _card(api: "HfApi", folder: Path, repo: str, kind: Kind, there: There) -> tuple[str, bool]:
    """Return how the cards differ, and whether the one there is somebody's own."""
    on_hub = _read(api, repo, kind, CARD, there.head)
    last = next(iter(there.releases), None)
    edited = last is None or on_hub != _read(api, repo, kind, CARD, last)
    new = (folder / CARD).read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        on_hub.splitlines(), new.splitlines(), f"{CARD} on the Hub", f"{CARD} of this release", lineterm="", n=1
    )
    return "\n".join(lines), edited

"""A folder goes up: whole, in one commit, with a tag, or not at all.

Large files are uploaded first and lie there unseen; then one commit, on the very state that was looked at, shows them
all; then the tag. Killed anywhere, the same call looks at what is there and does the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...errors import UserError
from ...runs import Progress, silent
from .client import check_token, hub_client
from .failures import translated
from .patience import patiently
from .plan import TRAILER, Kind, Plan, There, compare, content_hash, is_same, local_files, look

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

SMALL = 1_000_000
"""Files up to this size (bytes) are asked about and uploaded together, larger ones each by itself, for the progress."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A release on the Hub."""

    repo: str
    kind: Kind
    url: str
    revision: str
    """The commit."""
    tag: str
    private: bool
    """Whether the repository is; one that was there stays as it was."""
    uploaded: tuple[str, ...]
    """The files that are new or changed in it."""
    deleted: tuple[str, ...]
    """The files of the release before that went with it."""
    unchanged: bool
    """Whether everything was there already, and nothing was pushed."""
    card_diff: str
    """How the card was changed, as a unified diff."""


def push_folder(
    folder: Path,
    repo: str,
    *,
    kind: Kind,
    private: bool,
    message: str,
    replace_card: bool | Callable[[str], bool] = False,
    progress: Progress = silent,
) -> Pushed:
    """Push a release: one commit that has exactly its files, and a tag (v1, v2, …).

    Args:
        folder: A release of a model or a data set.
        repo: `owner/name`; made if it is not there.
        kind: What it is.
        private: Of a repository that is made. One that is public takes no release that is to be private.
        message: The commit's title.
        replace_card: Whether a card that somebody edited on the Hub is overwritten, or who is asked, with the diff.
        progress: Called with the bytes that are up, and all.

    Raises:
        UserError: one sentence: no token or none that may, a card edited on the Hub, no net, no space, a name taken …
    """
    with translated(repo), hub_client() as api:
        check_token(api, repo)
        plan = compare(api, folder, repo, kind)
        _refuse_public(plan, private)
        if plan.nothing_new and plan.there:
            return _already_there(api, plan, plan.there, folder, message)
        if plan.card_edited:
            _ask(plan, replace_card)
        if plan.there and plan.there.untagged:
            _tag(api, plan, plan.there.untagged, f"{message} (tagged later)")
        before = plan.there or _make(api, repo, kind, private)
        revision = _commit(api, plan, before, folder, message, progress)
        _check(api, plan, folder, revision)
        tag = _tag(api, plan, revision, f"{message}\n\n{TRAILER} {content_hash(folder, kind)}")
        sent = (*plan.added, *plan.changed)
        return Pushed(
            repo, kind, _url(api, plan), revision, tag, before.private, sent, plan.deleted, False, plan.card_diff
        )


def _refuse_public(plan: Plan, private: bool) -> None:
    if plan.there and private and not plan.there.private:
        raise UserError(
            f"{plan.repo} is public on the Hub, and this release is to be private (publish.private); say --public to "
            "push it there, or name another repository"
        )


def _already_there(api: "HfApi", plan: Plan, there: There, folder: Path, message: str) -> Pushed:
    """Answer the release that is there, and give it the tag that a kill kept from it."""
    revision = next(iter(there.releases), there.head)
    tag = there.tag(revision)
    tag = tag or _tag(api, plan, revision, f"{message}\n\n{TRAILER} {content_hash(folder, plan.kind)}")
    return Pushed(plan.repo, plan.kind, _url(api, plan), revision, tag, there.private, (), (), True, "")


def _ask(plan: Plan, replace_card: bool | Callable[[str], bool]) -> None:
    if replace_card(plan.card_diff) if callable(replace_card) else replace_card:
        return
    raise UserError(
        f"the card of {plan.repo} is not the one of its last release: somebody edited it on the Hub, and nothing was "
        f"pushed. --yes replaces it:\n{plan.card_diff}"
    )


def _make(api: "HfApi", repo: str, kind: Kind, private: bool) -> There:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        patiently(lambda: api.create_repo(repo, repo_type=kind, private=private))
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise  # else it was made, and the answer got lost
    made = look(api, repo, kind)
    if made is None:
        raise UserError(f"the name {repo} is taken on the Hub by what this token may not see; choose another name")
    if private and not made.private:
        raise UserError(f"{repo} is public on the Hub although a private repository was asked for; nothing was pushed")
    return made


def _commit(api: "HfApi", plan: Plan, before: There, folder: Path, message: str, progress: Progress) -> str:
    """Upload, then commit on exactly the state that was looked at. An answer that got lost is looked for."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    here = local_files(folder)
    adds = [CommitOperationAdd(name, str(here[name])) for name in (*plan.added, *plan.changed)]
    _upload(api, plan, adds, progress)
    deletes = [CommitOperationDelete(name) for name in plan.deleted]
    digest = content_hash(folder, plan.kind)

    def commit() -> str:
        newest = patiently(lambda: api.list_repo_commits(plan.repo, repo_type=plan.kind))
        if newest[0].commit_id != before.head and f"{TRAILER} {digest}" in newest[0].message:
            return newest[0].commit_id
        return str(
            api.create_commit(
                plan.repo,
                [*adds, *deletes],
                commit_message=message,
                commit_description=f"Published with prefloop {__version__}.\n\n{TRAILER} {digest}",
                parent_commit=before.head,
                repo_type=plan.kind,
            ).oid
        )

    return patiently(commit)


def _upload(api: "HfApi", plan: Plan, adds: "list[CommitOperationAdd]", progress: Progress) -> None:
    """Upload what is large, a file at a time; what is on the Hub already is not sent again."""
    total = sum(add.upload_info.size for add in adds)
    small = [add for add in adds if add.upload_info.size <= SMALL]
    done = 0
    for group in ([small] if small else []) + [[add] for add in adds if add.upload_info.size > SMALL]:
        api.preupload_lfs_files(plan.repo, group, repo_type=plan.kind, free_memory=False)
        done += sum(add.upload_info.size for add in group)
        progress(done, total)


def _check(api: "HfApi", plan: Plan, folder: Path, revision: str) -> None:
    """Compare what the Hub now has with the folder, file by file: a `.gitignore` there may have swallowed some."""
    now = look(api, plan.repo, plan.kind)
    here = local_files(folder)
    files = now.files if now else {}
    wrong = [name for name, path in here.items() if name not in files or not is_same(path, files[name])]
    if wrong:
        raise UserError(
            f"{plan.repo} at {revision[:12]} is not what was pushed, and got no tag; missing or different: "
            f"{', '.join(wrong)} (does a .gitignore or somebody else's push there explain it?)"
        )


def _tag(api: "HfApi", plan: Plan, revision: str, message: str) -> str:
    """Give a commit the next free tag, or answer the one that it has."""
    from huggingface_hub.errors import HfHubHTTPError

    def tag() -> str:
        now = look(api, plan.repo, plan.kind)
        assert now is not None
        if found := now.tag(revision):
            return found
        try:
            api.create_tag(plan.repo, tag=now.next_tag, tag_message=message, revision=revision, repo_type=plan.kind)
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            return tag()  # somebody else took this number
        return now.next_tag

    return patiently(tag)


def _url(api: "HfApi", plan: Plan) -> str:
    return f"{api.endpoint}/{'datasets/' if plan.kind == 'dataset' else ''}{plan.repo}"

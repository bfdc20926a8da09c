"""Where a release lies: a run's folder, a release's own folder, or a name on the Hub."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .release import MARK, Release, read_release

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Located:
    """A release's folder on this machine, its files not yet looked at."""

    folder: Path
    name: str
    """The Hub name as the user gave it, or the folder's."""
    revision: str | None
    """The Hub commit; None for a local folder."""
    run: Path | None = None
    """The run's folder, where the user named one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A release whose every file is as it was written."""

    folder: Path
    name: str
    revision: str | None
    """The Hub commit; None for a local folder."""
    release: Release


def open_release(text: str) -> Opened:
    """Find or fetch a release, and check every file of it.

    Args:
        text: A run's folder, a release's folder, or `org/name` on the Hub, with `@revision` if not the newest.

    Raises:
        UserError: it is none of these, holds no release, or a file is missing or changed.
    """
    found = locate_release(text)
    return Opened(found.folder, found.name, found.revision, read_release(found.folder))


def locate_release(text: str) -> Located:
    """Find or fetch a release without looking at its files; what is on this machine is taken before the Hub's.

    Raises:
        UserError: as `open_release`, but for the files.
    """
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _local(folder)
    name, at, revision = text.partition("@")
    if not HUB_NAME.fullmatch(name) or (at and not revision):
        raise UserError(
            f"{text!r} is neither a folder here nor a name on the Hub; write a run's folder, a release's folder, "
            "org/name or org/name@revision"
        )
    from .hub import fetch

    fetched = fetch(name, revision or None, kind="model")
    if not (fetched.folder / MARK).exists():
        raise UserError(f"{name} on the Hub was not published with prefloop: it has no {MARK}")
    return Located(fetched.folder, name, fetched.revision)


def _local(folder: Path) -> Located:
    if (folder / MARK).exists():
        return Located(folder, folder.name, None)
    if (folder / "release" / MARK).exists():
        return Located(folder / "release", folder.name, None, folder)
    if (folder / "state.json").exists():
        raise UserError(f"the run {folder} has no release yet; `prefloop publish {folder}` writes it")
    raise UserError(f"{folder} holds no release of prefloop's: it has neither {MARK} nor a run's release/")

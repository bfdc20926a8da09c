"""The server's own Python environment: created once from the hash-locked `requirements.txt`, shared by all folders.

It cannot be prefloop's: argilla-server 2.8.0 needs older versions of what training needs new.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import UserError
from ...home import home

Say = Callable[[str], None]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
POSTGRESQL = Path(__file__).with_name("requirements-postgresql.txt")
"""What a server on PostgreSQL needs beside that."""
TAIL_LINES = 15
SAY_EVERY = 20
"""Packages between two progress lines."""


def ensure_environment(say: Say, *, requirements: Path = REQUIREMENTS, also: Path | None = None) -> Path:
    """Return the environment's Python, creating the environment first where it is missing or half made.

    Args:
        say: Told what is going on, a line at a time.
        requirements: The lock that the environment is made from.
        also: A lock of packages that are added to it where they are not in it yet.

    Raises:
        UserError: it cannot be created; the message ends with what pip said last.
    """
    lock = requirements.read_text(encoding="utf-8")
    folder = home() / "server-env" / environment_name(lock)
    if not _complete(folder):
        with _locked(folder.with_suffix(".lock"), say):
            if not _complete(folder):
                _create(folder, requirements, say, total=len(locked_packages(lock)))
    if also is not None and not _added(folder, also).exists():
        with _locked(folder.with_suffix(".lock"), say):
            say(f"adding {', '.join(locked_packages(also.read_text(encoding='utf-8')))} to it")
            _run([*_pip(folder), "-r", str(also)], lambda line: None)
            _added(folder, also).touch()
    return _python(folder)


def environment_name(lock: str) -> str:
    """Return the environment's folder name: the lock's hash (12 hex digits) and the Python it is made with."""
    digest = hashlib.sha256(lock.encode()).hexdigest()[:12]
    return f"{digest}-py{sys.version_info.major}{sys.version_info.minor}"


def locked_packages(lock: str) -> list[str]:
    """Return the `name==version` lines of a lock."""
    return re.findall(r"^[A-Za-z0-9][\w.-]*==[^\s;\\]+", lock, flags=re.MULTILINE)


def _complete(folder: Path) -> bool:
    # The marker is written last; the interpreter vanishes when the system's Python is removed.
    return (folder / ".complete").exists() and _python(folder).exists()


def _added(folder: Path, lock: Path) -> Path:
    return folder / f".with-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _pip(folder: Path) -> list[str]:
    pip = [str(_python(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    return [*pip, "--progress-bar", "off", "--require-hashes", "--no-deps"]


def _create(folder: Path, requirements: Path, say: Say, *, total: int) -> None:
    say(f"creating the Argilla server's environment in {folder} (once; {total} packages, takes one to two minutes)")
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], lambda line: None)
    collected = 0

    def follow(line: str) -> None:
        nonlocal collected
        if line.startswith("Collecting "):
            collected += 1
            if collected % SAY_EVERY == 0:
                say(f"downloaded {collected} of {total} packages")
        elif line.startswith("Installing collected packages"):
            say("installing")

    _run([*_pip(folder), "-r", str(requirements)], follow)
    (folder / ".complete").touch()
    say("the Argilla server's environment is ready")


def _run(command: list[str], follow: Callable[[str], None]) -> None:
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            follow(lines[-1])
    if process.returncode:
        tail = "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])
        raise UserError(
            f"the Argilla server's environment could not be created (`{' '.join(command[1:4])}` ended with code "
            f"{process.returncode}); mend the cause and start again:\n{tail}"
        )


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is creating the Argilla server's environment; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

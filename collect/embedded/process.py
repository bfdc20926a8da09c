"""One server process a folder: a file lock that the server holds for as long as it lives, with its process id inside.

The lock, not the id, says whether the server runs: ids are reused, a lock goes with its process, even after `kill -9`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05


def try_lock(folder: Path) -> int | None:
    """Take the folder's lock; return its file descriptor, or None where somebody has it."""
    import fcntl

    descriptor = _flock(folder, fcntl.LOCK_EX)
    if descriptor is not None:
        # What a killed server left is not this holder's id.
        os.ftruncate(descriptor, 0)
    return descriptor


def running_pid(folder: Path) -> int | None:
    """Return the id of the process that holds the folder's lock, None where there is none.

    Waits for the moment it takes a starting server to write its id.
    """
    import fcntl

    if not (folder / "server.lock").exists():
        return None
    # Shared, so that two who look do not take each other for a server.
    while (descriptor := _flock(folder, fcntl.LOCK_SH)) is None:
        text = (folder / "server.lock").read_text()
        if text:
            return int(text)
        time.sleep(POLL_SECONDS)
    os.close(descriptor)
    return None


def _flock(folder: Path, kind: int) -> int | None:
    import fcntl

    descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def spawn(command: list[str], folder: Path, lock: int, log: Path, environment: dict[str, str]) -> None:
    """Start the server in a session of its own, its output appended to `log`, and hand the lock over to it."""
    with log.open("ab") as output:
        # The shell leaves at once, so that the server is nobody's child: nobody has to wait for it.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
            check=True,
        )


def end(folder: Path, pid: int, *, patience: float) -> None:
    """Ask the process to end, and kill it after `patience` seconds; return once its lock is free."""
    for signal_number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return
        if wait_until(lambda: running_pid(folder) != pid, seconds):
            return


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True

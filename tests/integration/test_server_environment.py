"""The server's environment is made by pip from a hash-locked file, and made again where making it was cut off."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefloop.collect.embedded.environment import REQUIREMENTS, ensure_environment, environment_name
from prefloop.errors import UserError


@pytest.fixture
def small_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one small package, cut out of the real one."""
    monkeypatch.setenv("PREFLOOP_HOME", str(tmp_path / "home"))
    block = re.search(r"^six==.*?(?=^\S|\Z)", REQUIREMENTS.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert block
    path = tmp_path / "requirements.txt"
    path.write_text(block[0])
    return path


def has_six(python: Path) -> bool:
    return subprocess.run([python, "-I", "-c", "import six"], check=False).returncode == 0


def test_a_killed_creation_is_taken_up_again(small_lock: Path, tmp_path: Path) -> None:
    create = (
        "import sys; from pathlib import Path; from prefloop.collect.embedded.environment import ensure_environment; "
        "ensure_environment(print, requirements=Path(sys.argv[1]))"
    )
    folder = tmp_path / "home" / "server-env" / environment_name(small_lock.read_text())
    with subprocess.Popen(
        [sys.executable, "-c", create, str(small_lock)], stdout=subprocess.DEVNULL, start_new_session=True
    ) as first:
        while not (folder / "pyvenv.cfg").exists():
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    assert not (folder / ".complete").exists()

    said: list[str] = []
    python = ensure_environment(said.append, requirements=small_lock)
    assert python.is_relative_to(folder)
    assert has_six(python)
    assert "ready" in said[-1]
    said.clear()
    assert ensure_environment(said.append, requirements=small_lock) == python
    assert said == [], "the second time there is nothing to do"


def test_a_wrong_hash_is_refused_with_pips_words(small_lock: Path) -> None:
    lock = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, small_lock.read_text())
    small_lock.write_text(lock)
    with pytest.raises(UserError, match=r"could not be created(.|\n)*DO NOT MATCH THE HASHES"):
        ensure_environment(lambda line: None, requirements=small_lock)

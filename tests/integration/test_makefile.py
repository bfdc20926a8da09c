"""`make` picks a Python that works, and says what to do when there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that set-up reads, and a folder `bin` of pythons to choose from."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for tool in ("bash", "echo", "sed"):
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def fake_python(folder: Path, name: str, line: str) -> None:
    (folder / "bin" / name).write_text(f"#!/usr/bin/env bash\n{line}\n")
    (folder / "bin" / name).chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("make")
    assert tool
    # These tests run under `make test`, whose own level and flags would show in the output.
    environment = {**os.environ, "PATH": str(folder / "bin"), "MAKEFLAGS": "", "MAKELEVEL": "0", "BASH_ENV": ""}
    return subprocess.run([tool, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_python_that_does_not_run_is_passed_over(checkout: Path) -> None:
    fake_python(checkout, "python3.11", "echo 'version manager: python3.11: command not found' >&2; exit 127")
    fake_python(checkout, "python3", f'exec {sys.executable} "$@"')
    done = make(checkout, ".venv/bin/python")
    assert done.returncode == 0, done.stderr
    assert (checkout / ".venv/bin/pip").exists()
    assert "command not found" not in done.stderr


def test_no_suitable_python_is_one_clear_message(checkout: Path) -> None:
    fake_python(checkout, "python3", "exit 1")
    done = make(checkout, ".venv/bin/python")
    assert done.returncode != 0
    assert "No Python 3.11, 3.12 or 3.13" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_named_python_that_is_too_old_is_not_used(checkout: Path) -> None:
    fake_python(checkout, "old", "exit 1")
    done = make(checkout, ".venv/bin/python", "PYTHON=old")
    assert done.returncode != 0


@pytest.mark.parametrize("target", ["demo", "test", "check", "unit"])
def test_a_second_time_installs_nothing(checkout: Path, target: str) -> None:
    fake_python(checkout, "python3", f'exec {sys.executable} "$@"')
    stamps = [checkout / ".venv" / name for name in ("bin/python", ".torch", ".installed-all", ".installed-dev")]
    stamps[0].parent.mkdir(parents=True)
    for stamp in stamps:
        stamp.touch()
    steps = make(checkout, "--dry-run", target).stdout
    assert "install" not in steps
    assert f"{'.venv/bin/prefloop demo' if target == 'demo' else '.venv/bin/'}" in steps

    os.utime(stamps[-1], (0, 0))
    os.utime(stamps[-2], (0, 0))
    steps = make(checkout, "--dry-run", target).stdout
    assert "pip install" in steps
    assert "[all]" in steps if target == "demo" else "[dev]" in steps


def test_torch_index_applies_to_torch_alone(checkout: Path) -> None:
    fake_python(checkout, "python3", f'exec {sys.executable} "$@"')
    steps = make(checkout, "--dry-run", "setup", "TORCH_INDEX=https://index.example/cpu").stdout
    lines = [line for line in steps.splitlines() if "index.example" in line]
    assert len(lines) == 1
    assert lines[0].endswith(" torch")

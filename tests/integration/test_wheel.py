"""The wheel holds what a user needs at run time, under one top-level name, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build from a copy: setuptools would otherwise pick up what an earlier build left in build/."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    # -P: from the root, `evaluate/` would be on sys.path. No isolation: the build must not need a package index.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "out",
        ".",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_source_file_ships(members: set[str]) -> None:
    outside = {"tests", "benchmarks", "docs", "docker"}
    sources = {f"prefloop/{name}" for name in tracked() if name.endswith(".py") and name.split("/")[0] not in outside}
    assert len(sources) > 20
    assert sources - members == set()


def test_every_data_file_of_the_package_ships(members: set[str]) -> None:
    folders = {"collect", "train", "evaluate", "publish", "recipes"}
    data = {name for name in tracked() if name.split("/")[0] in folders and Path(name).suffix not in {".py", ".in"}}
    assert {f"prefloop/{name}" for name in data} - members == set()
    suffixes = {Path(name).suffix for name in data}
    assert {".yaml", ".jsonl", ".html", ".txt"} <= suffixes


def test_nothing_else_ships(members: set[str]) -> None:
    tops = {name.split("/")[0] for name in members}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"prefloop"}
    assert {name.split("/")[1] for name in members} & {"tests", "benchmarks", "docs", "docker", ".ci"} == set()
    assert any(name.endswith("licenses/LICENSE") for name in members)

"""What of the container can be checked without a container engine: its start script, and that all it copies exists."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefloop.collect.embedded.environment import ensure_environment
from prefloop.home import home

ROOT = Path(__file__).parents[2]
START = ROOT / "docker" / "entrypoint.sh"


def dockerfile() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_dockerfile_runs_what_exists_as_a_user_without_rights() -> None:
    steps = dockerfile()
    names = [name for name, _ in steps]
    assert set(names) <= {
        "ARG",
        "FROM",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "WORKDIR",
        "VOLUME",
        "EXPOSE",
        "ENTRYPOINT",
        "CMD",
    }
    assert ("USER", "prefloop") in steps
    assert names.index("USER") < names.index("ENTRYPOINT")
    scripts = re.findall(r"/opt/prefloop/source/([\w./-]+\.sh)", " ".join(rest for _, rest in steps))
    assert sorted(scripts) == ["docker/entrypoint.sh", "docker/install.sh"]
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_nothing_the_build_needs_is_kept_out_of_the_image() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".dockerignore").read_text().split()}
    needed = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "constraints.txt",
        "docker",
        "collect",
        "train",
        "evaluate",
        "publish",
    }
    assert ignored & needed == set()
    assert ".git" in ignored


@pytest.mark.parametrize("script", ["install.sh", "entrypoint.sh"])
def test_the_scripts_are_bash(script: str) -> None:
    done = subprocess.run(["bash", "-n", str(ROOT / "docker" / script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def container(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that the image sets: a fresh volume as home, and what was built elsewhere."""
    built = tmp_path / "built"
    built.mkdir()
    python = ensure_environment(lambda _: None)
    (built / "server-env").symlink_to(home() / "server-env")
    assert python.exists()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ARGILLA_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFLOOP_HOME": str(tmp_path / "volume"),
        "PREFLOOP_BUILT": str(built),
        "PREFLOOP_WATCH_SECONDS": "1",
    }
    yield environment
    subprocess.run([prefloop(), "server", "stop"], env=environment, cwd=tmp_path, check=False, capture_output=True)


def prefloop() -> str:
    found = shutil.which("prefloop", path=str(Path(sys.executable).parent))
    assert found
    return found


def start(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    with (folder / "container.log").open("w") as log:
        return subprocess.Popen(
            [str(START), *arguments], env=environment, cwd=folder, stdout=log, stderr=log, text=True
        )


def wait_for(url: str, seconds: float) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return httpx.get(url, timeout=5)
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def free_port() -> str:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_any_verb_is_passed_on(container: dict[str, str], tmp_path: Path) -> None:
    process = start(container, tmp_path, "doctor", "--help")
    assert process.wait(60) == 0
    assert "machine" in (tmp_path / "container.log").read_text()
    assert (tmp_path / "volume/server-env").resolve() == (home() / "server-env").resolve()


def test_the_server_stays_until_it_is_told_to_stop(container: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    process = start(container, tmp_path, "server", "start", "--port", port, "--host", "127.0.0.1")
    assert wait_for(f"http://127.0.0.1:{port}/api/v1/version", 120).json()["version"] == "2.8.0"
    time.sleep(3)
    assert process.poll() is None, (tmp_path / "container.log").read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, (tmp_path / "container.log").read_text()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{port}/api/v1/version", timeout=5)


def test_the_container_ends_when_its_server_does(container: dict[str, str], tmp_path: Path) -> None:
    port, folder = free_port(), str(tmp_path / "elsewhere")
    arguments = ("server", "start", "--port", port, "--host", "127.0.0.1", "--folder", folder)
    process = start(container, tmp_path, *arguments)
    wait_for(f"http://127.0.0.1:{port}/api/v1/version", 120)
    subprocess.run([prefloop(), "server", "stop", "--folder", folder], env=container, check=True, capture_output=True)
    assert process.wait(60) == 1
    assert "the server has ended" in (tmp_path / "container.log").read_text()

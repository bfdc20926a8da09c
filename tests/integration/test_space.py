"""The start script of the Space template, run here: it keeps votes over a restart, and refuses to forget them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

SPACE = Path(__file__).parents[2] / "docker" / "space"
MEMORY = Path("/dev/shm")
"""A file system of its own, as a Space's persistent storage is one."""
SECRETS = {"OWNER_PASSWORD": "a long password", "OWNER_API_KEY": "k" * 32}


@pytest.fixture
def storage() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="prefloop-space-"))
    yield folder
    shutil.rmtree(folder)


def environment(data: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    here = {"PATH": path, "SPACE_DATA": str(data), "PREFLOOP_WATCH_SECONDS": "1"}
    return {name: value for name, value in os.environ.items() if not name.startswith("ARGILLA_")} | here | more


def test_the_template_is_whole() -> None:
    _, head, _ = (SPACE / "README.md").read_text().split("---\n", 2)
    told = yaml.safe_load(head)
    assert (told["sdk"], told["app_port"]) == ("docker", 7860)
    dockerfile = (SPACE / "Dockerfile").read_text()
    assert "EXPOSE 7860" in dockerfile
    assert "USER user" in dockerfile
    assert os.access(SPACE / "start.sh", os.X_OK)


def test_it_refuses_to_forget_and_to_be_open(storage: Path, tmp_path: Path) -> None:
    def refused(**variables: str) -> str:
        done = subprocess.run(
            [SPACE / "start.sh"], env=variables, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stderr

    assert "Set the secrets" in refused(**environment(storage))
    assert "Set the secrets" in refused(**environment(storage, **SECRETS | {"OWNER_API_KEY": "short"}))
    assert list(storage.iterdir()) == []
    assert "can't be written" in refused(**environment(tmp_path / "none", **SECRETS))
    if os.stat("/").st_dev != os.stat(tmp_path).st_dev:
        pytest.skip("this machine's temporary folder is a file system of its own")
    assert "NO PERSISTENT STORAGE" in refused(**environment(tmp_path, **SECRETS))


def test_votes_outlive_a_restart_and_secrets_can_be_changed(
    storage: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
    connect: Callable[[str, str], Any],
    eventually: Callable[..., bool],
) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{url}/api/v1/version", timeout=5).is_success
        return False

    def run(secrets: dict[str, str], work: Callable[[Any], None]) -> None:
        log = tmp_path / "log"
        with log.open("w") as output:
            variables = environment(storage, SPACE_PORT=port, **secrets)
            space = subprocess.Popen([SPACE / "start.sh"], env=variables, stdout=output, stderr=output)
        try:
            assert eventually(lambda: answers() or space.poll() is not None, 120)
            assert space.poll() is None, log.read_text()
            work(connect(url, secrets["OWNER_API_KEY"]))
        finally:
            space.send_signal(signal.SIGTERM)
            code = space.wait(60)
        assert code == 0, log.read_text()
        assert not answers()
        assert not any(secret in log.read_text() for secret in secrets.values())

    dataset = ""

    def label(api: Any) -> None:
        nonlocal dataset
        workspace = api.workspace()
        dataset = api.dataset(workspace)
        api.vote(api.add_numbered(dataset, 2)[0]["id"])

    def look(api: Any) -> None:
        assert api.progress(dataset)["completed"] == 1
        login = {"username": "owner", "password": "another password"}
        assert httpx.post(f"{url}/api/v1/token", data=login, timeout=60).is_success
        old = httpx.get(f"{url}/api/v1/me", headers={"X-Argilla-Api-Key": SECRETS["OWNER_API_KEY"]}, timeout=60)
        assert old.is_success, "the key is still the same"

    run(SECRETS, label)
    assert not (storage / "backups").exists()
    run(SECRETS | {"OWNER_PASSWORD": "another password"}, look)
    assert len(list((storage / "backups").iterdir())) == 1

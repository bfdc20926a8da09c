"""A local Hub for every test that asks for one; the modules beside this file can be imported by every test."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).with_name("local_hub.py")
# Under importlib mode nothing of tests/ can be imported. At the end of the path it hides no installed module.
sys.path.append(str(Path(__file__).parent))


@dataclass(frozen=True)
class LocalHub:
    """A running local Hub (tests/local_hub.py). `tester` writes to the names `tester/…` and `acme/…`."""

    url: str
    folder: Path
    token: str = "hf_writeTokenOfTheLocalHub0123456789"
    read_token: str = "hf_readTokenOfTheLocalHub01234567890"
    expired_token: str = "hf_expiredTokenOfTheLocalHub01234567"
    stranger_token: str = "hf_strangerTokenOfTheLocalHub0123456"

    @property
    def environment(self) -> dict[str, str]:
        """What a command's environment needs to talk to this Hub, with a cache of its own."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HOME": str(self.folder / "home"),
            "HF_HUB_CACHE": str(self.folder / "home" / "hub"),
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def api(self, token: str | None = None) -> Any:
        """Return the real client, speaking to this Hub (for tests that look at it from outside)."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=self.token if token is None else token)

    def fault(self, *faults: dict[str, Any]) -> None:
        """Order faults for the requests to come, in place of those ordered before; none at all clears them.

        Each has `match` (a regular expression on "PUT /path?query"), `kind` (status, drop, lost, cut, stall), `times`
        (1 if not given, -1 for always), and: `status`, `headers`, `body` of an answer; `after`, bytes of the body, and
        for cut of the answer.
        """
        self._call("POST", "/_faults", [{"times": 1, **fault} for fault in faults])

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked so far: line, status, bytes of the body, whether a token came along, host, stalled."""
        return list(self._call("GET", "/_requests"))

    def asked(self, start: str) -> list[dict[str, Any]]:
        """Return the requests whose line (`PUT /path?query`) starts so."""
        return [row for row in self.requests() if row["line"].startswith(start)]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.url + path, data, method=method), timeout=30) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture
def start_local_hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that starts a local Hub with options of the program; all are stopped in the end."""
    # The client read when it was imported whether it may reach a Hub; the whole suite may run with HF_HUB_OFFLINE=1.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    started: list[subprocess.Popen[str]] = []

    def start(options: Sequence[str] = ()) -> LocalHub:
        folder = tmp_path_factory.mktemp("hub")
        command = [sys.executable, "-P", str(SERVER), str(folder / "repos"), *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir())
        started.append(server)
        assert server.stdout is not None
        return LocalHub(server.stdout.readline().strip(), folder)

    yield start
    for server in started:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def local_hub(start_local_hub: Any) -> LocalHub:
    """Return a running, empty Hub."""
    hub: LocalHub = start_local_hub()
    return hub


@pytest.fixture
def at_local_hub(local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """Return a running, empty Hub that this process talks to, as if its environment had been set from the start."""
    for name, value in local_hub.environment.items():
        monkeypatch.setenv(name, value)
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", local_hub.url)
    template = f"{local_hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(f"{constants}.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", local_hub.environment["HF_HUB_CACHE"])
    yield local_hub
    from huggingface_hub import close_session

    close_session()

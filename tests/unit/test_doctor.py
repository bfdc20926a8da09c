"""The doctor says what is there, what is wrong and what to do, quickly and without telling secrets."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from prefloop import doctor
from prefloop.doctor import Finding, examine


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own accounts, and no network beyond this machine."""
    for name in ("ARGILLA_API_URL", "ARGILLA_API_KEY", "HF_TOKEN", "HF_TOKEN_PATH", "WANDB_API_KEY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PREFLOOP_HOME", str(tmp_path / "home"))


@pytest.fixture
def serve() -> Iterator[Callable[[int, str], str]]:
    """Start a web server on this machine that gives one answer to everything; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(code: int, body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body.encode())

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_every_part_is_looked_at_once() -> None:
    findings = examine()
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    assert {"Python", "packages", "extra train", "4-bit", "memory", "small model", "Hugging Face Hub", "Argilla"} <= {
        *names
    }
    assert by_name(findings)["packages"].status == "ok"


def test_whatever_is_not_right_comes_with_what_to_do() -> None:
    assert [finding for finding in examine() if finding.status in ("warn", "fail") and not finding.fix] == []


@pytest.mark.parametrize(("minor", "status"), [(10, "fail"), (11, "ok"), (13, "ok"), (14, "fail")])
def test_python(minor: int, status: str) -> None:
    assert doctor._python((3, minor, 5)).status == status


def test_a_package_of_another_version_is_named_with_what_is_needed() -> None:
    found = doctor._group("extra train", [Requirement("pytest>=9999"), Requirement("pydantic>=2")])
    assert found.status == "fail"
    assert "pytest" in found.found
    assert ">=9999" in found.found
    assert found.fix == 'pip install "prefloop[train]"'


def test_missing_packages_are_named_and_a_wholly_missing_extra_is_no_failure() -> None:
    half = doctor._group("extra wandb", [Requirement("no-such-package-1"), Requirement("pydantic>=2")])
    assert (half.status, half.found) == ("fail", "missing: no-such-package-1")
    none = doctor._group("extra wandb", [Requirement("no-such-package-1"), Requirement("no-such-package-2")])
    assert (none.status, none.found) == ("warn", "not installed")


def test_secrets_are_never_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY", "ARGILLA_API_KEY"):
        monkeypatch.setenv(name, "sesame-open-42")
    monkeypatch.setenv("ARGILLA_API_URL", "http://127.0.0.1:9")
    findings = examine()
    assert "sesame" not in repr(findings)
    assert by_name(findings)["Hub login"].status == "ok"


def test_a_token_file_counts_as_logged_in(tmp_path: Path) -> None:
    assert doctor._login().status == "warn"
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/token").write_text("sesame-open-42")
    assert doctor._login().status == "ok"


def test_hub(monkeypatch: pytest.MonkeyPatch, serve: Callable[[int, str], str]) -> None:
    assert "can't be reached" in doctor._hub().found
    monkeypatch.setenv("HF_ENDPOINT", serve(200, "[]"))
    assert doctor._hub().status == "ok"
    monkeypatch.setenv("HF_ENDPOINT", serve(503, ""))
    assert "503" in doctor._hub().found
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in doctor._hub().found


def test_argilla_without_address_key_or_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._argilla().status == "ok"
    monkeypatch.setenv("ARGILLA_API_URL", "http://127.0.0.1:9")
    assert "ARGILLA_API_KEY" in doctor._argilla().found
    monkeypatch.setenv("ARGILLA_API_KEY", "key")
    assert (doctor._argilla().status, "can't be reached" in doctor._argilla().found) == ("fail", True)


@pytest.mark.parametrize(
    ("code", "body", "status", "part"),
    [
        (200, '{"username": "ada", "role": "owner"}', "ok", "as ada (owner)"),
        (200, '{"username": "ada", "role": "annotator"}', "fail", "as ada (annotator)"),
        (401, "{}", "fail", "refuses the key"),
        (404, "", "fail", "HTTP 404"),
        (200, "<html>", "fail", "no Argilla server"),
    ],
)
def test_what_the_address_answers(
    code: int, body: str, status: str, part: str, monkeypatch: pytest.MonkeyPatch, serve: Callable[[int, str], str]
) -> None:
    monkeypatch.setenv("ARGILLA_API_URL", serve(code, body) + "/")
    monkeypatch.setenv("ARGILLA_API_KEY", "key")
    found = doctor._argilla()
    assert (found.status, part in found.found) == (status, True), found


def test_the_servers_environment_counts_once_it_is_whole(tmp_path: Path) -> None:
    from prefloop.collect.embedded.environment import REQUIREMENTS, environment_name

    assert doctor._server_environment().status == "warn"
    folder = tmp_path / "home/server-env" / environment_name(REQUIREMENTS.read_text(encoding="utf-8"))
    folder.mkdir(parents=True)
    assert doctor._server_environment().status == "warn"
    (folder / ".complete").touch()
    assert doctor._server_environment().status == "ok"


def test_a_full_or_locked_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert str(tmp_path / "a/b") in doctor._disk("disk", tmp_path / "a/b").found
    monkeypatch.setattr(doctor, "DISK_GB", 1e9)
    assert doctor._disk("disk", tmp_path).status == "warn"


def test_tracking_says_whether_a_key_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    assert "no key" in doctor._tracking().found
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password sesame-open-42\n")
    (tmp_path / "netrc").chmod(0o600)
    assert "key present" in doctor._tracking().found

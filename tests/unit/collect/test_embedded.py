"""The embedded server's files: its lock, its credentials, its process lock."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from prefloop.collect.embedded import server_logs, server_status, stop_server
from prefloop.collect.embedded.credentials import ensure_credentials
from prefloop.collect.embedded.database import postgresql_url
from prefloop.collect.embedded.environment import POSTGRESQL, REQUIREMENTS, environment_name, locked_packages
from prefloop.collect.embedded.process import running_pid, try_lock
from prefloop.errors import UserError


def test_the_lock_pins_every_package_by_hash() -> None:
    lock = REQUIREMENTS.read_text()
    packages = locked_packages(lock)
    assert "argilla-server==2.8.0" in packages
    assert any(re.match(r"click==8\.1\.", package) for package in packages)
    lines = [line for line in lock.splitlines() if line and not line.startswith("#")]
    starts = [index for index, line in enumerate(lines) if not line.startswith(" ")]
    assert len(starts) == len(packages)
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        assert all(line.strip().startswith("--hash=sha256:") for line in lines[start + 1 : end]), lines[start]
        assert end > start + 1, f"{lines[start]} has no hash"


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"https?:|--(extra-)?index|--find-links|--trusted", REQUIREMENTS.read_text())


def test_another_lock_gets_another_environment() -> None:
    assert environment_name("a==1") != environment_name("a==2")
    assert environment_name("a==1") == environment_name("a==1")


def test_credentials_are_random_private_and_kept(tmp_path: Path) -> None:
    first = ensure_credentials(tmp_path)
    file = tmp_path / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert ensure_credentials(tmp_path) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    other = ensure_credentials(tmp_path / "other")
    for secret in ("password", "api_key", "auth_secret_key"):
        assert getattr(first, secret) != getattr(other, secret)
        assert getattr(first, secret) not in repr(first)


@pytest.mark.parametrize("content", ["{", '{"username": "owner"}', '{"username": "owner", "unknown": 1}'])
def test_damaged_credentials_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "credentials.json"))):
        ensure_credentials(tmp_path)


def test_a_stale_id_is_no_running_server(tmp_path: Path) -> None:
    """After a kill the file still has an id, which may by now be somebody else's: here this test's own."""
    (tmp_path / "server.lock").write_text(str(os.getpid()))
    assert running_pid(tmp_path) is None
    assert stop_server(tmp_path) is False


def test_the_holder_of_the_lock_is_the_running_server(tmp_path: Path) -> None:
    hold = "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); f.write(str(os.getpid()))"
    hold += "; f.flush(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "server.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert running_pid(tmp_path) == holder.pid
        assert try_lock(tmp_path) is None
        holder.kill()
    assert running_pid(tmp_path) is None


def test_a_folder_without_a_server(tmp_path: Path) -> None:
    status = server_status(tmp_path / "nowhere")
    assert (status.running, status.pid, status.url, status.records) == (False, None, None, 0)
    assert server_logs(tmp_path / "nowhere") == ""
    assert stop_server(tmp_path / "nowhere") is False


def test_logs_are_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "argilla.log").write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert server_logs(tmp_path, 2) == "line 99998\nline 99999"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("postgresql://me:secret@host/name", "holds a password"),
        ("postgresql://me@host/name?password=secret", "holds a password"),
        ("mysql://me@host/name", "names no PostgreSQL's database"),
        ("postgresql://me@host/", "names no PostgreSQL's database"),
        ("postgresql://me@host:port/name", "is no URL"),
        ("postgresql://me@host/name?sslmode=require", "PGSSLMODE"),
        ("postgresql+asyncpg://me@host/name", "names no PostgreSQL's database"),
    ],
)
def test_a_database_address_is_refused_with_a_way_out_and_no_secret(url: str, complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)) as refused:
        postgresql_url(url)
    assert "secret" not in str(refused.value)


def test_a_database_address_is_kept_as_it_is_meant() -> None:
    assert postgresql_url("postgres://me@host:5432/name") == "postgresql://me@host:5432/name"
    assert postgresql_url("postgresql://me@/name?host=/run/postgresql") == "postgresql://me@/name?host=/run/postgresql"


def test_the_postgresql_lock_pins_by_hash_and_names_no_index() -> None:
    lock = POSTGRESQL.read_text()
    assert [package.split("==")[0] for package in locked_packages(lock)] == ["asyncpg", "psycopg2-binary"]
    assert lock.count("--hash=sha256:") > len(locked_packages(lock))
    assert not re.search(r"https?:|--(extra-)?index|--find-links|--trusted", lock)

"""What the doctor says of a real Argilla."""

from pathlib import Path

import pytest
from prefloop import doctor
from prefloop.collect.embedded import Server


def test_an_argilla_by_address_and_key(argilla: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGILLA_API_URL", argilla.url)
    monkeypatch.setenv("ARGILLA_API_KEY", argilla.api_key)
    found = doctor._argilla()
    assert (found.status, f"as {argilla.username} (owner)" in found.found) == ("ok", True), found
    assert argilla.api_key not in repr(found)

    monkeypatch.setenv("ARGILLA_API_KEY", "not-the-key")
    assert "refuses the key" in doctor._argilla().found


def test_the_embedded_argilla(argilla: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    monkeypatch.setenv("PREFLOOP_HOME", str(tmp_path))
    assert "no server runs" in doctor._argilla().found
    (tmp_path / "argilla").symlink_to(argilla.folder)
    found = doctor._argilla()
    assert (found.status, "argilla-server 2.8.0" in found.found) == ("ok", True), found

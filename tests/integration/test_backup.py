"""A backup of a running Argilla is whole, and makes the same Argilla again; nothing that exists is overwritten."""

import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefloop.collect.embedded import back_up, restore, server_status, start_server, stop_server
from prefloop.errors import UserError


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_taken_while_people_vote_makes_the_same_argilla_again(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, connect: Callable[[str, str], Any]
) -> None:
    new = request.getfixturevalue("postgres").database if kind == "postgresql" else lambda: None
    server = start_server(tmp_path / "first", database=new())
    try:
        api = connect(server.url, server.api_key)
        workspace = api.workspace()
        person = api.annotator(workspace)
        dataset = api.dataset(workspace)
        records = api.add_numbered(dataset, 60)
        voted: list[str] = []
        backed_up = threading.Event()

        def vote() -> None:
            annotator = connect(server.url, person["api_key"])
            for record in records:
                voted.append(annotator.vote(record["id"])["id"])
                if backed_up.is_set():
                    return

        voting = threading.Thread(target=vote)
        voting.start()
        while len(voted) < 5:
            voting.join(0.05)
        before = len(voted)
        file = back_up(server.folder, tmp_path / "backup.tar.gz")
        after = len(voted) + 1
        backed_up.set()
        voting.join()
    finally:
        stop_server(server.folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(UserError, match="not overwritten"):
        back_up(server.folder, file)
    with pytest.raises(UserError, match="holds an Argilla already"):
        restore(file, server.folder)

    with pytest.raises(UserError, match="made from"):
        restore(file, tmp_path / "second", database=None if kind == "postgresql" else "postgresql://a@b/c")
    if kind == "postgresql":
        used = (server.folder / "server.json").read_text().split('"database": "')[1].split('"')[0]
        with pytest.raises(UserError, match="has tables already"):
            restore(file, tmp_path / "second", database=used)
    restore(file, tmp_path / "second", database=new())
    again = start_server(tmp_path / "second")
    try:
        assert again.api_key == server.api_key
        restored = connect(again.url, server.api_key)
        stored = [response["id"] for record in restored.records(dataset).values() for response in record["responses"]]
        assert before <= len(stored) <= after
        assert set(stored) <= set(voted)
        assert restored.progress(dataset)["completed"] in (len(stored), len(stored) - 1)
        assert restored.search(dataset, query={"text": {"q": "question"}}, limit=100)["total"] == len(records)
        someone = connect(again.url, person["api_key"])
        assert someone.call("GET", "/me")["username"] == person["username"], "accounts and their keys are kept"
        assert server_status(again.folder).responses == len(stored)
    finally:
        stop_server(again.folder)


def test_what_is_no_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no Argilla"):
        back_up(tmp_path / "none", tmp_path / "backup.tar.gz")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(UserError, match="cannot be read as a backup"):
        restore(tmp_path / "text", tmp_path / "folder")
    folder = tmp_path / "argilla"
    folder.mkdir()
    (folder / "credentials.json").write_text(
        '{"username": "o", "password": "p", "api_key": "k", "auth_secret_key": "s"}'
    )
    with closing(sqlite3.connect(folder / "argilla.db")) as database:
        database.execute("CREATE TABLE t (a)")
        database.commit()
    file = back_up(folder, tmp_path / "good.tar.gz")
    (tmp_path / "cut").write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match="cannot be read as a backup"):
        restore(tmp_path / "cut", tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []
    restore(file, tmp_path / "folder")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["argilla.db", "credentials.json"]

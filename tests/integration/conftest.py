"""A real Argilla for every integration test that asks for one, started once a session."""

from collections.abc import Iterator

import pytest
from prefloop.collect.embedded import Server, start_server, stop_server


@pytest.fixture(scope="session")
def argilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a running, empty server; its environment under PREFLOOP_HOME is made once and kept."""
    folder = tmp_path_factory.mktemp("argilla")
    yield start_server(folder)
    stop_server(folder)

import os
from pathlib import Path

import pytest

FILES = Path(__file__).parent / "files"


@pytest.fixture
def preferences():
    """The folder of the real preference files."""
    if "PREFLOOP_TEST_DATA" not in os.environ:
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    return Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences"


@pytest.fixture
def example():
    """Small files, written by hand in the documented shape of sources whose data can't be shipped."""
    return lambda name: str(FILES / name)


@pytest.fixture
def accounted():
    """Check that every row is accounted for, and that every vote is on an item and can be found again."""

    def check(imported):
        refused = [row for rows in imported.refused.values() for row in rows]
        assert imported.source.rows == imported.taken + len(refused)
        assert len(set(refused)) == len(refused)
        assert {vote.item_id for vote in imported.votes} <= {item.id for item in imported.items}
        assert len({item.id for item in imported.items}) == len(imported.items)
        assert len({vote.id for vote in imported.votes}) == len(imported.votes)
        assert len({(vote.item_id, vote.annotator) for vote in imported.votes}) == len(imported.votes)
        return imported

    return check

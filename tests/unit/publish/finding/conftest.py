"""Releases in miniature: their files without any weights."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefloop.publish.finding import Block, Entry, Score


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return a function that makes a release's entry: a name, and what differs from a plain one."""

    def make(name: str, task: str = "Answers.", *, low: float = 0.6, verdict: str = "better", **other: Any) -> Entry:
        score = Score(name="accuracy", value=low + 0.1, low=low, high=low + 0.2, n=50, task="task_check")
        difference = score.model_copy(update={"value": 0.2, "low": 0.05, "high": 0.35, "task": ""})
        block = {"headline": score, "difference": difference, "results": [score], "confidence": 0.95}
        block |= {"task": task, "verdict": verdict, "parameters": other.pop("parameters", 135_000_000)}
        plain = {"where": f"runs/{name}", "hub": False, "base": "small/base-135M", "licence": "mit"}
        plain |= {"languages": ("en",), "tags": ("prefloop",), "updated": "2026-02-01T00:00:00+00:00"}
        return Entry(name=name, block=Block.model_validate(block), **(plain | other))

    return make


CARD = {
    "base_model": "small/base-135M",
    "license": "mit",
    "language": ["en"],
    "tags": ["prefloop", "mail"],
    "prefloop": {
        "version": "0.1.0",
        "task": "Sorts support e-mails.",
        "base_sha256": "ab" * 32,
        "parameters": 135_000_000,
        "verdict": "better",
        "confidence": 0.95,
        "headline": {"name": "accuracy", "value": 0.7, "low": 0.6, "high": 0.8, "n": 62},
        "difference": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 62},
        "results": [{"task": "task_check", "name": "as told", "value": 0.6, "low": 0.45, "high": 0.73, "n": 45}],
    },
}


@pytest.fixture
def card() -> dict[str, Any]:
    """Return a card's metadata."""
    return json.loads(json.dumps(CARD))  # type: ignore[no-any-return]


def seal(folder: Path, **mark: Any) -> None:
    """Write the mark over a release's files, as they are now."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}
    row = {"name": folder.name, "created": "2026-02-01T00:00:00+00:00", "files": files, "trained_sha256": "cd" * 32}
    (folder / "release.json").write_text(json.dumps(row | mark))


@pytest.fixture
def reseal() -> Callable[..., None]:
    """Return the function that makes a release whole again after its files were changed."""
    return seal

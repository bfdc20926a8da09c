"""What was found is kept: near-duplicates among thousands of texts take minutes, and are looked for once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from ...collect.item import content_hash
from ...collect.pair import PreferencePair
from ...collect.sealing.evaluation_texts import EvaluationText
from ...runs import read_json, write_json
from .find import find_contamination
from .result import Contamination

SEARCH = 1
"""Raised whenever the same texts come to overlap in another way."""


def kept_contamination(
    path: Path, training: Sequence[PreferencePair], benchmarks: Mapping[str, Sequence[EvaluationText]]
) -> Contamination:
    """Return what `find_contamination` finds, from `path` where it was found before in the same texts."""
    texts = {name: [[text.row, text.text] for text in rows] for name, rows in benchmarks.items()}
    key, kind = content_hash([SEARCH, [pair.id for pair in training], texts]), TypeAdapter(Contamination)
    if path.exists() and (kept := read_json(path))["key"] == key:
        return kind.validate_python(kept["found"], strict=False)
    found = find_contamination(training, benchmarks)
    write_json(path, {"key": key, "found": kind.dump_python(found, mode="json")})
    return found

"""How many parameters a model has: counted in its files' headers, else as its name says it."""

import json
import re
from math import prod
from pathlib import Path

NAMED = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([MB])(?![A-Za-z])", re.IGNORECASE)
LARGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""


def parameters(name: str) -> int | None:
    """Return the number of parameters of a model folder, or of a name like `Qwen2.5-0.5B`; None if neither tells."""
    counted = _counted(Path(name)) if name else None
    if counted is not None:
        return counted
    found = NAMED.findall(name.replace("-", " ").replace("_", " ").replace("/", " "))
    if not found:
        return None
    number, unit = found[-1]
    return round(float(number) * (10**9 if unit in "Bb" else 10**6))


def _counted(folder: Path) -> int | None:
    try:
        files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
        return sum(_in_file(path) for path in files) or None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None  # no safetensors after all; the name may tell


def _in_file(path: Path) -> int:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LARGEST_HEADER:
            raise ValueError(f"{path} is no safetensors file")
        header = json.loads(file.read(length))
    return sum(prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")

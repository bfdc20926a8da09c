"""A trained model in a form that others run: merged safetensors, or one GGUF file with a Modelfile for Ollama.

An export's folder appears whole and checked, or not at all:

    export.json       what it was made of, every distance that was measured, and the SHA-256 of every file
    model.safetensors config.json tokenizer.json …           with the format safetensors
    NAME-q8_0.gguf    Modelfile                              with the format gguf
"""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...collect import PreferencePair
from ...errors import UserError
from ...models import ModelFolder, load_tokenizer
from ...runs import Progress, read_json, silent, write_json, write_text
from ...train import Adapter
from ...train.export.deltas import Delta
from ...train.export.merge import (
    Merge,
    building,
    merge_record,
    merge_to,
    refuse_taken,
    refuse_unfit,
    require_space,
    weights_size,
)
from ...train.export.reloading import reload
from .gguf import (
    BYTES_A_WEIGHT,
    LARGEST_ERROR,
    PACKAGE,
    PACKAGE_VERSION,
    Quantisation,
    adds_bos,
    convert,
    find_converter,
)
from .modelfile import modelfile, stop_texts, take_apart

log = logging.getLogger(__name__)

MARK = "export.json"
"""Written last: it says that the folder is a whole export."""
FORMAT = 1
WORTH_WARNING = 0.5
"""The share of what the training moved that a quantisation may cost unremarked."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export's folder and its record."""

    folder: Path
    record: dict[str, Any]

    @property
    def delta(self) -> Delta:
        """How far the exported model is from base and adapter as trained."""
        return Delta(**self.record["delta"])

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.folder.iterdir())


def export_model(
    adapter: Adapter,
    base: ModelFolder,
    pairs: Sequence[PreferencePair],
    out: Path,
    *,
    name: str,
    quantisation: Quantisation | None = None,
    converter: Path | None = None,
    progress: Progress = silent,
) -> Export:
    """Merge the adapter and write the model as safetensors, or with `quantisation` as a GGUF file with a Modelfile.

    What is written is loaded again by plain transformers in a process of its own: chat template, BOS, EOS and the
    tokens of the pairs must be those of the training exactly, log-probabilities within stated limits.

    Args:
        adapter: What was trained.
        base: What it was trained on.
        pairs: What to compare on: pairs of the task that are not sealed.
        out: The export's folder: new or empty.
        name: What the model is called in its file.
        quantisation: Of the GGUF file; None writes safetensors.
        converter: llama.cpp's checkout or its `convert_hf_to_gguf.py`; None fetches a copy.
        progress: Counts the steps.

    Raises:
        Problems: bitsandbytes is missing for an adapter that was trained in 4 bits.
        UserError: another base, a taken folder, too small a disk, no converter, or the result says something else
            than what was trained. Nothing is left behind then.
    """
    refuse_unfit(adapter, base)
    refuse_taken(out)
    script = find_converter(converter) if quantisation else None
    size = weights_size(base)
    require_space(out, round(size * (1 + BYTES_A_WEIGHT[quantisation] / 2)) if quantisation else size)
    steps = 3 if quantisation else 1
    progress(0, steps)
    with building(out) as partial:
        if quantisation is None or script is None:
            merge = merge_to(partial, adapter, base, pairs)
            record = _record(adapter, base, merge, name) | {"delta": asdict(merge.deltas[merge.into])}
        else:
            record = _write_gguf(partial, adapter, base, pairs, name, quantisation, script, progress)
        record["files"] = _hashes(partial)
        write_json(partial / MARK, record)
    progress(steps, steps)
    return Export(out, record)


def read_export(folder: Path) -> Export:
    """Read an export back and check every file.

    Raises:
        UserError: it is no export, or a file is missing or changed.
    """
    if not (folder / MARK).exists():
        raise UserError(f"{folder} is no export of prefloop's: it has no {MARK}")
    record = read_json(folder / MARK)
    found = _hashes(folder)
    wrong = sorted(file for file, digest in record["files"].items() if found.get(file) != digest)
    if wrong:
        raise UserError(f"{folder} is not the export that was written; missing or changed: {', '.join(wrong)}")
    return Export(folder, record)


def _write_gguf(
    folder: Path,
    adapter: Adapter,
    base: ModelFolder,
    pairs: Sequence[PreferencePair],
    name: str,
    quantisation: Quantisation,
    script: Path,
    progress: Progress,
) -> dict[str, Any]:
    merged, file = folder / "merged", folder / f"{name}-{quantisation}.gguf"
    merged.mkdir()
    merge = merge_to(merged, adapter, base, pairs)
    progress(1, 3)
    convert(merged, file, quantisation, script, name=name)
    progress(2, 3)
    delta = reload(folder, merge.expected, gguf=file.name)
    if delta.mean > LARGEST_ERROR[quantisation]:
        raise UserError(
            f"{file.name} is {delta.mean:.3f} a token away from base and adapter (at most "
            f"{LARGEST_ERROR[quantisation]}); export f16 or bf16 instead"
        )
    record = _record(adapter, base, merge, name) | {"delta": asdict(delta), "notes": _notes(delta, merge, quantisation)}
    record["gguf"] = {
        "quantisation": quantisation,
        "largest_delta_allowed": LARGEST_ERROR[quantisation],
        "converter_sha256": hashlib.sha256(script.read_bytes()).hexdigest(),
        "converter": f"llama.cpp in {PACKAGE} {PACKAGE_VERSION}" if _is_ours(script) else "given",
        "read_back_by": f"transformers {version('transformers')}",
    }
    record["modelfile"] = _write_modelfile(folder, file, merged, merge)
    shutil.rmtree(merged)
    return record


def _is_ours(script: Path) -> bool:
    return script.parent.name == f"{PACKAGE}-{PACKAGE_VERSION}"


def _write_modelfile(folder: Path, file: Path, merged: Path, merge: Merge) -> dict[str, Any]:
    tokenizer = load_tokenizer(merged)
    prompts = [pair.prompt for pair in merge.expected.pairs]
    bos = adds_bos(file)
    pieces = take_apart(tokenizer, prompts, adds_bos=bos)
    generation = merged / "generation_config.json"
    ends = read_json(generation).get("eos_token_id") if generation.exists() else None
    stops = stop_texts(tokenizer, ends if isinstance(ends, list) else [] if ends is None else [ends])
    write_text(folder / "Modelfile", modelfile(file.name, pieces, stops))
    return {
        "template": "measured" if pieces else "left to Ollama",
        "prompts_with_equal_tokens": len(prompts) if pieces else 0,
        "reader_adds_bos": bos,
        "stop": stops,
        "run_in_ollama": False,
    }


def _notes(delta: Delta, merge: Merge, quantisation: str) -> list[str]:
    if delta.mean <= WORTH_WARNING * merge.moved.mean:
        return []
    note = (
        f"{quantisation} moves the model by {delta.mean:.4f} a token, the whole training by {merge.moved.mean:.4f}: "
        "much of what was learnt may be lost in rounding; bf16 keeps it"
    )
    log.warning("%s", note)
    return [note]


def _record(adapter: Adapter, base: ModelFolder, merge: Merge, name: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "trained_on_sha256": adapter.data_sha256,
        **{key: value for key, value in merge_record(merge, adapter, base).items() if key != "delta"},
    }


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name != MARK):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found

"""A merged model as one GGUF file, written by llama.cpp's own converter.

The converter is not prefloop's and not installed with it: it is the script `convert_hf_to_gguf.py` of a llama.cpp
checkout, or the copy that llama-cpp-python's source package carries, fetched once and checked by its hash.
"""

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Literal, get_args

from ...errors import UserError
from ...home import home

log = logging.getLogger(__name__)

Quantisation = Literal["f32", "bf16", "f16", "q8_0"]
"""As the converter names them. Fewer bits take llama.cpp's or Ollama's own quantiser, from an f16 or bf16 file."""
QUANTISATIONS = get_args(Quantisation)
LARGEST_ERROR = {"f32": 0.05, "bf16": 0.05, "f16": 0.05, "q8_0": 0.15}
"""Natural-log units a token, on average: how far the file may be from base and adapter."""
BYTES_A_WEIGHT = {"f32": 4.0, "bf16": 2.0, "f16": 2.0, "q8_0": 1.0625}

SCRIPT = "convert_hf_to_gguf.py"
PACKAGE, PACKAGE_VERSION = "llama-cpp-python", "0.3.36"
PACKAGE_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
INSIDE = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/gguf/", "LICENSE")
"""What is kept of llama.cpp: the converter and what it imports."""


def find_converter(given: Path | None = None) -> Path:
    """Return llama.cpp's converter: the one given, or a copy kept under `home()`, fetched the first time.

    Raises:
        UserError: it is not there, can't be fetched, or lacks a package it needs.
    """
    if importlib.util.find_spec("sentencepiece") is None:
        raise UserError('llama.cpp\'s converter needs the package sentencepiece: pip install "prefloop[gguf]"')
    if given is not None:
        script = given / SCRIPT if given.is_dir() else given
        if not script.is_file():
            raise UserError(f"{script} is not there; --converter takes a llama.cpp checkout or its {SCRIPT}")
        return script.resolve()
    folder = home() / "converters" / f"{PACKAGE}-{PACKAGE_VERSION}"
    if not (folder / SCRIPT).exists():
        log.info("taking llama.cpp's converter from the source package %s %s (77 MB)", PACKAGE, PACKAGE_VERSION)
        _fetch(folder)
    return folder / SCRIPT


def convert(model: Path, file: Path, quantisation: Quantisation, converter: Path, *, name: str) -> None:
    """Run the converter on a model folder; `name` is what the file will call the model.

    Raises:
        UserError: it failed; the sentence ends with its last words.
    """
    options = ["--outfile", str(file.resolve()), "--outtype", quantisation, "--model-name", name]
    command = [sys.executable, str(converter), str(model.resolve()), *options]
    # Its own gguf package lies beside it; nothing is to be fetched, and nothing of this project to be imported.
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "NO_LOCAL_GGUF"}}
    environment |= {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=model, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not file.exists():
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise UserError(
            f"llama.cpp's converter ({converter}) can't convert this model; it said: {last}. "
            "A newer llama.cpp may know the architecture: name its checkout with --converter"
        )


def adds_bos(file: Path) -> bool:
    """Return whether a GGUF file tells its reader to put the BOS token before every text."""
    from gguf import GGUFReader

    field = GGUFReader(file).fields.get("tokenizer.ggml.add_bos_token")
    return bool(field.contents()) if field is not None else False


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source = _download(Path(scratch))
        found = hashlib.sha256(source.read_bytes()).hexdigest()
        if found != PACKAGE_SHA256:
            raise UserError(
                f"{source.name} has SHA-256 {found}, expected {PACKAGE_SHA256}; name a llama.cpp checkout with "
                "--converter instead"
            )
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        _unpack(source, partial)
        try:
            os.replace(partial, folder)
        except OSError:  # another process was faster
            shutil.rmtree(partial)


def _download(scratch: Path) -> Path:
    # As source and without its dependencies: only the llama.cpp in it is wanted, and nothing is compiled.
    options = ["--quiet", "--no-deps", "--no-binary", PACKAGE, "-d", str(scratch)]
    command = [sys.executable, "-m", "pip", "download", *options, f"{PACKAGE}=={PACKAGE_VERSION}"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    sources = list(scratch.glob("*.tar.gz"))
    if done.returncode or not sources:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise UserError(
            "GGUF files are written by llama.cpp's converter, which the package index did not give "
            f"({PACKAGE}=={PACKAGE_VERSION}; pip said: {last}); get llama.cpp, and name it: --converter path/to/it"
        )
    return sources[0]


def _unpack(source: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(source) as archive:
        for member in archive:
            _, _, inside = member.name.partition("/vendor/llama.cpp/")
            if member.isfile() and inside.startswith(INSIDE):
                member.name = inside
                archive.extract(member, folder, filter="data")

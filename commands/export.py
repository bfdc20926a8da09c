"""Giving a trained model away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..console import facts, progress_bar, result_json, say
from .options import Json

if TYPE_CHECKING:
    from ..publish.engines.export import Export

Quantisation = Literal["f32", "bf16", "f16", "q8_0"]


def export(
    run: Annotated[Path, typer.Argument(help="The run's folder.", show_default=False)],
    form: Annotated[
        Literal["safetensors", "gguf"],
        typer.Option("--format", help="safetensors for transformers and vLLM, gguf for llama.cpp and Ollama."),
    ] = "safetensors",
    quantize: Annotated[
        Quantisation, typer.Option(help="Of a GGUF file. For fewer bits: export f16, then `ollama create -q Q4_K_M`.")
    ] = "q8_0",
    out: Annotated[Path | None, typer.Option(help="Its folder.", show_default="RUN/export/<format>")] = None,
    converter: Annotated[
        Path | None,
        typer.Option(help="A llama.cpp checkout, or its convert_hf_to_gguf.py.", show_default="a copy, fetched once"),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Compare on these pairs (JSON lines), none of them sealed.", show_default="training pairs"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the trained model as one that needs no adapter: safetensors, or a GGUF file with a Modelfile.

    It is loaded again by plain transformers in a process of its own, and must read and say what base and adapter do:
    the same chat template, BOS, EOS and tokens, log-probabilities within a stated limit. What was measured is in
    export.json. After a training in 4 bits both bases are tried, the original and what 4 bits left of it.
    """
    from ..loop.giving import export_run_model

    with progress_bar("export") as progress:
        done = export_run_model(
            run,
            quantisation=quantize if form == "gguf" else None,
            out=out,
            converter=converter,
            pairs=pairs,
            progress=progress,
        )
    if as_json:
        result_json({"folder": str(done.folder), **done.record})
    else:
        _show(done)


def _show(done: "Export") -> None:
    record = done.record
    rows = {
        "folder": done.folder,
        "size": f"{done.size / 1e6:,.0f} MB",
        "merged into": f"{record['base']['name']} ({record['into']})",
        "away from base and adapter": f"{done.delta.mean:.4f} a token (worst answer {done.delta.worst:.4f})",
        "moved by the training": f"{record['moved_by_training']['mean']:.4f} a token",
        "compared on": f"{done.delta.tokens} tokens of {len(record['compared_on'])} pairs",
    }
    others = {name: delta for name, delta in record["tried"].items() if name != record["into"]}
    rows |= {f"merged into the {name} instead": f"{delta['mean']:.4f} a token" for name, delta in others.items()}
    facts("Exported", rows)
    for note in record.get("notes", []):
        say(f"note: {note}")

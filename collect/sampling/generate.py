"""Answers from a local model; they are generated in `asking/`, and candidates are made of them here."""

from ...asking.generate import (
    Answer,
    GenerateSettings,
    batches,
    generate,
    generate_batches,
    left_padded,
    pad_id,
    prompt_ids,
)

__all__ = [
    "Answer",
    "GenerateSettings",
    "batches",
    "generate",
    "generate_batches",
    "left_padded",
    "pad_id",
    "prompt_ids",
]

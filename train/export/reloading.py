"""What a model on disk says to someone else: loaded by plain transformers, in a process that knows nothing of ours."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...collect import PreferencePair
from ...errors import UserError
from ..rows import Tokens, conversation_row
from .deltas import Delta, distance

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# In float32, as the other side of the comparison: what differs is then the weights, not the arithmetic.
PLAIN = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

asked = json.load(sys.stdin)
extra = {"gguf_file": asked["gguf"]} if asked["gguf"] else {}
tokenizer = AutoTokenizer.from_pretrained(asked["folder"], **extra)
model = AutoModelForCausalLM.from_pretrained(asked["folder"], dtype=torch.float32, **extra).eval()
if torch.cuda.is_available():
    model = model.to("cuda")
render = lambda turns, **how: list(tokenizer.apply_chat_template(turns, return_dict=True, **how)["input_ids"])
logps = []
for prompt, answer in asked["answers"]:
    ids = torch.tensor([prompt + answer], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids, logits_to_keep=len(answer) + 1, use_cache=False).logits[0, :-1].float()
    logps.append((logits.gather(1, ids[0, -len(answer):, None])[:, 0] - logits.logsumexp(1)).tolist())
json.dump({
    "chat_template": tokenizer.chat_template,
    "bos_token_id": tokenizer.bos_token_id,
    "eos_token_id": tokenizer.eos_token_id,
    "prompts": [render(turns, add_generation_prompt=True) for turns in asked["prompts"]],
    "conversations": [render(turns) for turns in asked["conversations"]],
    "logps": logps,
}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a written model must say, taken from base and adapter as trained."""

    said: dict[str, Any]
    """Chat template, BOS, EOS, and the token ids of the probe's prompts and conversations."""
    logps: list[list[float]]
    """Two rows a pair (`token_logps`)."""
    tokens: list[Tokens]
    pairs: list[PreferencePair]


def expect(
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Sequence[PreferencePair],
    tokens: Sequence[Tokens],
    logps: list[list[float]],
) -> Expected:
    """Return what a model with this tokenizer must say about the pairs."""
    prompts, conversations = _turns(pairs)

    def render(turns: list[dict[str, str]], *, add_generation_prompt: bool = False) -> list[int]:
        encoded = tokenizer.apply_chat_template(turns, add_generation_prompt=add_generation_prompt, return_dict=True)
        return list(encoded["input_ids"])

    said = {
        "chat_template": tokenizer.chat_template,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "prompts": [render(turns, add_generation_prompt=True) for turns in prompts],
        "conversations": [render(turns) for turns in conversations],
    }
    return Expected(said, logps, list(tokens), list(pairs))


def reload(folder: Path, expected: Expected, *, gguf: str | None = None) -> Delta:
    """Load the model in `folder` afresh and compare all that it says: tokens exactly, log-probabilities by distance.

    Args:
        folder: A model folder, or one that holds a GGUF file.
        expected: What it must say.
        gguf: The file's name, where it is one.

    Raises:
        UserError: transformers can't load it, or template, BOS, EOS or any token differ; the sentence names what.
    """
    prompts, conversations = _turns(expected.pairs)
    asked = {
        "folder": str(folder.resolve()),
        "gguf": gguf,
        "prompts": prompts,
        "conversations": conversations,
        "answers": [(pair.prompt, answer) for pair in expected.tokens for answer in (pair.chosen, pair.rejected)],
    }
    found = _ask(asked, gguf or folder.name)
    differing = [_difference(name, said, found[name]) for name, said in expected.said.items() if found[name] != said]
    if differing:
        raise UserError(f"{gguf or folder.name} does not read its own text as in training: {'; '.join(differing)}")
    return distance(expected.logps, found["logps"])


def _turns(pairs: Sequence[PreferencePair]) -> tuple[list[list[dict[str, str]]], list[list[dict[str, str]]]]:
    rows = [conversation_row(pair) for pair in pairs]
    prompts = [row["prompt"] for row in rows]
    return prompts, [row["prompt"] + row[side] for row in rows for side in ("chosen", "rejected")]


def _ask(asked: dict[str, Any], name: str) -> dict[str, Any]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    # -P: the working directory may hold a folder named like a library.
    command = [sys.executable, "-P", "-W", "ignore", "-c", PLAIN]
    done = subprocess.run(
        command, input=json.dumps(asked), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise UserError(f"transformers can't load {name} back: {last}")
    return dict(json.loads(done.stdout))


def _difference(name: str, expected: Any, found: Any) -> str:
    if not isinstance(expected, list):
        return f"{name} is {_short(found)}, not {_short(expected)}"
    wrong = [number for number, (one, other) in enumerate(zip(expected, found, strict=True)) if one != other]
    one, other = expected[wrong[0]], found[wrong[0]]
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"{len(wrong)} of {len(expected)} {name} have other tokens (the first from token {place} on)"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

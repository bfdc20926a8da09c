"""An adapter merged into a base that is stated and measured, never assumed.

An adapter trained over a 4-bit base (QLoRA) knows two bases: the bfloat16 original, and what 4 bits left of it, which
is what it was trained on. Tools disagree on which to merge into; here both are tried, and log-probabilities on the
run's own pairs decide. Everything is added up in float32, so that only the finished sum is rounded to bfloat16.
"""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...collect import Message, PreferencePair
from ...errors import UserError
from ...models import ModelFolder, load_model, load_tokenizer, quietly, resolve_model
from ...runs import write_json
from ..adapter import Adapter
from ..policy import load_policy
from ..rows import Tokens, in_training_order, tokenise
from ..surroundings import quiet_libraries, refuse_missing_packages
from .deltas import Delta, distance, token_logps
from .reloading import Expected, expect, reload

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

Into = Literal["original", "dequantised", "whole"]
"""The bfloat16 base; what 4 bits left of it; or the model itself, after full fine-tuning."""
LARGEST_MERGE_ERROR = 0.05
"""Natural-log units a token, on average: what rounding the merged weights to bfloat16 may always cost."""
LARGEST_MERGE_SHARE = 0.2
"""Of what the training moved: what it may cost beyond that. A far-moved model is rounded more, and loses less by it."""
PROBE_PAIRS = 6
"""Pairs on which models are compared."""
RELOADED_WITHIN = 0.001
"""The same unit: how far the same weights may be apart in another process."""
RECORD = "merge.json"
PROBE = (
    ("Name three things that grow in a garden.", "Tomatoes, sunflowers and mint all grow well in a small garden."),
    ("Why is the sky blue?", "Air scatters blue light more than red light, so blue reaches us from everywhere."),
    ("Write one line about rain.", "Rain taps the window like a friend who has all afternoon."),
)
"""Prompts and answers to compare on where no pairs are given."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What was merged into what, and what was measured on the way."""

    into: Into
    deltas: dict[Into, Delta]
    """How far each base that was tried, with the adapter merged in, is from base and adapter as trained."""
    moved: Delta
    """How far base and adapter are from the base alone: what the training did, and the scale for the distances."""
    pairs: tuple[str, ...]
    """The ids of the pairs that were compared on; empty where texts of prefloop's own had to do."""
    expected: Expected


def merge_adapter(adapter: Adapter, base: ModelFolder, out: Path, pairs: Sequence[PreferencePair] = ()) -> ModelFolder:
    """Write the merged model in bfloat16, checked in a fresh process, with the measurements in `merge.json`.

    Args:
        adapter: What was trained.
        base: What it was trained on.
        out: The merged model's folder: new or empty.
        pairs: Pairs of the task to compare on, up to `PROBE_PAIRS` of them; without any, three texts of ours.

    Raises:
        Problems: bitsandbytes is missing for an adapter that was trained in 4 bits.
        UserError: the base is not the one trained on, `out` is taken, the disk is too small, or the merged model says
            something else than base and adapter do.
    """
    refuse_unfit(adapter, base)
    refuse_taken(out)
    require_space(out, weights_size(base))
    with building(out) as partial:
        write_json(partial / RECORD, merge_record(merge_to(partial, adapter, base, pairs), adapter, base))
    return resolve_model(str(out))


def merge_record(merged: Merge, adapter: Adapter, base: ModelFolder) -> dict[str, Any]:
    """Return what was merged into what, and what was measured, as JSON-able values."""
    return {
        "base": {"name": base.name, "revision": base.revision, "sha256": base.sha256},
        "adapter_sha256": adapter.sha256,
        "into": merged.into,
        "delta": asdict(merged.deltas[merged.into]),
        "tried": {name: asdict(delta) for name, delta in merged.deltas.items()},
        "moved_by_training": asdict(merged.moved),
        "compared_on": list(merged.pairs),
        "versions": {name: version(name) for name in ("prefloop", "transformers", "peft", "torch")},
    }


def refuse_unfit(adapter: Adapter, base: ModelFolder) -> None:
    """Check that the adapter can be merged here, before anything is loaded.

    Raises:
        Problems: bitsandbytes is missing for an adapter that was trained in 4 bits.
        UserError: the base is not the one trained on.
    """
    refuse_missing_packages(adapter.settings)
    if adapter.base_sha256 != base.sha256:
        raise UserError(
            f"{adapter.path} was trained on {adapter.base_name} ({adapter.base_sha256[:12]}), "
            f"not on {base.name} ({base.sha256[:12]})"
        )


def refuse_taken(out: Path) -> None:
    """Raise UserError unless `out` is free: absent, or an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty; choose another folder (--out), or move this one away")


def weights_size(base: ModelFolder) -> int:
    """Return the bytes that the base's weights take on disk."""
    return sum(path.stat().st_size for path in base.path.glob("*.safetensors"))


def require_space(out: Path, needed: int) -> None:
    """Raise UserError unless the disk that `out` is on has `needed` bytes and a tenth more."""
    there = next(folder for folder in (out.resolve(), *out.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < 1.1 * needed:
        raise UserError(
            f"{out} needs about {1.1 * needed / 1e9:.1f} GB, and {there} has {free / 1e9:.1f} GB free; "
            "make room, or name another disk with --out"
        )


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` that takes its place when the block succeeds, and is gone when it does not."""
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if out.exists():
        out.rmdir()
    partial.rename(out)


def merge_to(folder: Path, adapter: Adapter, base: ModelFolder, pairs: Sequence[PreferencePair]) -> Merge:
    """Write the better of the merged models into `folder`, which exists, and check what was written.

    Raises:
        UserError: it says something else than base and adapter do.
    """
    tokenizer = load_tokenizer(adapter.path)
    probe, tokens = _probe(adapter, pairs)
    with quiet_libraries():
        plain, logps = _as_trained(adapter, base, tokens)
        model, into, found = _best(adapter, base, tokens, logps)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    del model  # the check loads it once more
    expected = expect(tokenizer, probe, tokens, logps)
    again = reload(folder, expected)
    if into in found and again.mean > found[into].mean + RELOADED_WITHIN:
        raise UserError(
            f"the merged model of {adapter.path}, loaded afresh, is {again.mean:.3f} a token away from base and "
            f"adapter, and was {found[into].mean:.3f} away before it was written; use the adapter unmerged"
        )
    found[into] = again
    moved = distance(plain, logps)
    allowed = max(LARGEST_MERGE_ERROR, LARGEST_MERGE_SHARE * moved.mean)
    if again.mean > allowed:
        raise UserError(
            f"merging {adapter.path} into {base.name} ({into}) moves log-probabilities by {again.mean:.3f} a token "
            f"(at most {allowed:.3f}, where the training moved them by {moved.mean:.3f}); use the adapter unmerged"
        )
    log.info("merged into the %s weights: %.4f a token from base and adapter", into, again.mean)
    return Merge(into, found, moved, tuple(pair.id for pair in probe if pairs), expected)


def _best(
    adapter: Adapter, base: ModelFolder, tokens: list[Tokens], logps: list[list[float]]
) -> "tuple[PreTrainedModel, Into, dict[Into, Delta]]":
    """Merge into every base there is; return the model nearest to what was trained, in bfloat16, and the distances.

    With one base there is no choice, and its distance is left to whoever reads the written model.
    """
    first, *others = _bases(adapter)
    if not others:
        return _merged_into(first, adapter, base), first, {}
    found: dict[Into, Delta] = {}
    models: dict[Into, PreTrainedModel] = {}
    for into in (first, *others):
        model = _merged_into(into, adapter, base)
        found[into] = distance(logps, token_logps(model.float(), tokens))
        models[into] = model.bfloat16()  # every number in it is one already
    best = min(found, key=lambda name: found[name].mean)
    return models[best], best, found


def _bases(adapter: Adapter) -> tuple[Into, ...]:
    if adapter.whole:
        return ("whole",)
    return ("original", "dequantised") if adapter.settings.quantization else ("original",)


def _as_trained(
    adapter: Adapter, base: ModelFolder, tokens: list[Tokens]
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the log-probabilities under the base alone and under what was trained, before anything is rounded."""
    into = _bases(adapter)[-1]  # over a 4-bit base: what was trained on
    start = _load(into, adapter, base)
    plain = token_logps(_load("original", adapter, base) if adapter.whole else start, tokens)
    if adapter.whole:
        return plain, token_logps(start, tokens)
    return plain, token_logps(_with_adapter(start, adapter), tokens)


def _merged_into(into: Into, adapter: Adapter, base: ModelFolder) -> "PreTrainedModel":
    model = _load(into, adapter, base)
    return (model if adapter.whole else _with_adapter(model, adapter).merge_and_unload()).bfloat16().eval()


def _load(into: Into, adapter: Adapter, base: ModelFolder) -> "PreTrainedModel":
    """Load the weights to merge into, in float32."""
    import torch

    if into != "dequantised":
        return load_model(adapter.path if into == "whole" else base.path, dtype=torch.float32)
    with quietly():
        # Before any forward pass: on a CPU bitsandbytes then repacks the weights and can no longer unpack them.
        return load_policy(base, adapter.settings, adapter.settings.max_length).dequantize().float().eval()


def _with_adapter(model: "PreTrainedModel", adapter: Adapter) -> Any:
    from peft import PeftModel

    with quietly():
        return PeftModel.from_pretrained(model, str(adapter.path)).eval()


def _probe(adapter: Adapter, pairs: Sequence[PreferencePair]) -> tuple[list[PreferencePair], list[Tokens]]:
    """Return the pairs to compare on, of those that training would not have cut."""
    tokenizer = load_tokenizer(adapter.path)
    rows = [(pair, tokenise(pair, tokenizer)) for pair in in_training_order(pairs)[: 4 * PROBE_PAIRS] or _own_texts()]
    whole = [row for row in rows if _longest(row[1]) <= adapter.settings.max_length]
    kept = (whole or sorted(rows, key=lambda row: _longest(row[1])))[:PROBE_PAIRS]
    return [pair for pair, _ in kept], [tokens for _, tokens in kept]


def _longest(tokens: Tokens) -> int:
    return len(tokens.prompt) + max(len(tokens.chosen), len(tokens.rejected))


def _own_texts() -> list[PreferencePair]:
    answers = [answer for _, answer in PROBE]
    return [
        PreferencePair((Message("user", prompt),), answer, other, 1.0, "probe", ("probe",))
        for (prompt, answer), other in zip(PROBE, [*answers[1:], answers[0]], strict=True)
    ]

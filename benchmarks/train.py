"""Pairs a second of DPO with LoRA on SmolLM2-135M: plain TRL with its best flags against prefloop, losses compared.

PREFLOOP_TEST_DATA=… python benchmarks/train.py [pairs] [rounds]

Needs a quiet machine, and PandaLM's test set in $PREFLOOP_TEST_DATA (its unanimous pairs are trained on). The variants
take turns, each in a process of its own:

  plain TRL   DPOTrainer as its documentation sets it up: bfloat16 base, bfloat16 autocast, no checkpointing
  first run   prefloop with nothing known: every reference log-probability is computed, layers are compiled
  warm        the same once more, the references known, as in every later training on these pairs

Compiling is counted apart: it is done once, and a training that is too short for it goes without. All see the same
batches in the same order from the same adapter.

Whether both compute the same is asked in float32, on the shortest pairs: there their losses must agree step by step. In
bfloat16 each way of computing rounds in other places, and small updates of an adapter are partly rounded away, so there
each is told by how far its losses lie from those in float32.
"""

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

BATCH, MAX_LENGTH, RATE = 4, 512, 1e-4
AGREE = 1e-3
"""Natural-log units: how far two losses of a step may lie apart in float32."""
EXACT_PAIRS = 12


def pandalm(count: int):
    """Return the first pairs on which all three annotators agree."""
    from prefloop.collect import Message, PreferencePair

    path = Path(os.environ["PREFLOOP_TEST_DATA"]) / "preferences" / "pandalm_testset_v1.json.gz"
    pairs = []
    for row in json.loads(gzip.decompress(path.read_bytes())):
        votes = {row[f"annotator{n}"] for n in (1, 2, 3)}
        better, worse = str(row["response1"]), str(row["response2"])
        if votes == {2}:
            better, worse = worse, better
        if len(votes) == 1 and votes != {0} and better.strip() and worse.strip() and better != worse:
            prompt = "\n\n".join(part for part in (row["instruction"], row["input"]) if part)
            name = str(row["idx"])
            pairs.append(PreferencePair((Message("user", prompt),), better, worse, 1.0, name, (name,)))
    return pairs[:count]


def settings():
    """Return what both sides train with."""
    from prefloop.train import TrainSettings

    return TrainSettings(batch_size=BATCH, max_length=MAX_LENGTH, learning_rate=RATE, warmup=0.0, torch_compile=True)


def plain(pairs, folder: Path, *, exact: bool = False) -> dict:
    """Train with TRL alone; `exact` in float32."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from prefloop.models import SMALL_MODEL, load_tokenizer, resolve_model
    from prefloop.train.rows import conversation_row, in_training_order
    from transformers import AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    base = resolve_model(SMALL_MODEL)
    arguments = DPOConfig(
        output_dir=str(folder),
        activation_checkpointing=False,
        learning_rate=RATE,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        max_length=MAX_LENGTH,
        bf16=not exact,
        use_cpu=True,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32 if exact else torch.bfloat16),
        args=arguments,
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in in_training_order(pairs)]),
        processing_class=load_tokenizer(base.path),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    start = time.monotonic()
    trainer.train()
    return {"seconds": time.monotonic() - start, "compiling": 0.0, "losses": _losses(trainer)}


def ours(pairs, folder: Path, *, exact: bool = False) -> dict:
    """Train as `train_dpo` does; `exact` in float32, and without compiling."""
    import torch
    from prefloop.models import SMALL_MODEL, load_tokenizer, resolve_model
    from prefloop.runs import silent
    from prefloop.train.checks.preflight import preflight
    from prefloop.train.policy import load_policy
    from prefloop.train.rows import in_training_order
    from prefloop.train.speed.reference import cache_reference, reference_weights
    from prefloop.train.speed.shortcuts import compile_layers
    from prefloop.train.trainer import build_trainer

    base, chosen = resolve_model(SMALL_MODEL), settings()
    tokenizer, ordered = load_tokenizer(base.path), in_training_order(pairs)
    longest = preflight(ordered, chosen, tokenizer).longest
    trainer = build_trainer(
        ordered,
        chosen,
        base=base,
        tokenizer=tokenizer,
        checkpoints=folder,
        longest=longest,
        load=lambda *given: load_policy(*given).to(torch.float32) if exact else load_policy(*given),
    )
    if exact:
        trainer.accelerator.state._mixed_precision, trainer.accelerator.native_amp = "no", False
    start = time.monotonic()
    fast = not exact and compile_layers(trainer, chosen)
    compiled = time.monotonic()
    weights = None if exact else reference_weights(base, chosen, None)
    counts = cache_reference(trainer, BATCH, silent, weights=weights, compiled=fast)
    trainer.train()
    done = time.monotonic()
    return {"seconds": done - compiled, "compiling": compiled - start, "losses": _losses(trainer)} | counts


def _losses(trainer) -> list[float]:
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


VARIANTS = {
    "plain TRL": plain,
    "first run": ours,
    "warm": ours,
    "float32": partial(ours, exact=True),
    "float32, shortest pairs": partial(ours, exact=True),
    "float32, shortest pairs, plain TRL": partial(plain, exact=True),
}
TIMED = ("plain TRL", "first run", "warm")


def one(variant: str, count: int) -> None:
    """Train once and print what it took, as JSON."""
    from prefloop.train.surroundings import quiet_libraries

    pairs = pandalm(count)
    if "shortest" in variant:
        pairs = sorted(pairs, key=lambda pair: len(pair.prompt[0].content + pair.chosen + pair.rejected))[:EXACT_PAIRS]
    with quiet_libraries(), tempfile.TemporaryDirectory() as folder:
        found = VARIANTS[variant](pairs, Path(folder))
    found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found))


def main(count: int = 32, rounds: int = 3) -> None:
    """Let the variants take turns, and print a table."""
    from prefloop.home import home

    taken: dict[str, list[dict]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as scratch:
        # The models stay where they are; what this measures the making of starts from nothing.
        own = Path(scratch) / "home"
        own.mkdir()
        (own / "models").symlink_to(home() / "models")
        for turn in range(rounds):
            (own / "reference.sqlite").unlink(missing_ok=True)
            for variant, runs in taken.items():
                if turn and variant not in TIMED:
                    continue
                command = [sys.executable, __file__, "--one", variant, str(count)]
                env = os.environ | {"PREFLOOP_HOME": str(own)}
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
                runs.append(json.loads(done.stdout.splitlines()[-1]))
                print(f"round {turn + 1}, {variant}: {_told(runs[-1])}", file=sys.stderr, flush=True)
    _table(taken, count)


def _told(run: dict) -> str:
    return f"{run['seconds']:.1f} s, compiling {run['compiling']:.1f} s, {run['peak_mib']} MiB"


def _table(taken: dict[str, list[dict]], count: int) -> None:
    base = statistics.median(run["seconds"] for run in taken["plain TRL"])
    losses = {variant: runs[0]["losses"] for variant, runs in taken.items()}
    print("| | pairs/s | by plain TRL | peak memory | compiling, apart | a step's loss, from float32's |")
    print("|---|---|---|---|---|---|")
    for variant in TIMED:
        runs = taken[variant]
        seconds = statistics.median(run["seconds"] for run in runs)
        compiling = ", ".join(f"{run['compiling']:.0f}" for run in runs)
        peak = max(run["peak_mib"] for run in runs)
        mean, most = _distance(losses[variant], losses["float32"])
        speed = f"{count / seconds:.2f} | {base / seconds:.1f}x | {peak} MiB | {compiling} s"
        print(f"| {variant} | {speed} | {mean:.3f} on average, at most {most:.3f} |")
    mean, most = _distance(losses["float32, shortest pairs"], losses["float32, shortest pairs, plain TRL"])
    print(f"in float32 plain TRL's {EXACT_PAIRS // BATCH} steps and ours lie {mean:.6f} apart, at most {most:.6f}")
    if most > AGREE:
        sys.exit(f"that is more than {AGREE}")


def _distance(found: list[float], expected: list[float]) -> tuple[float, float]:
    apart = [abs(a - b) for a, b in zip(found, expected, strict=True)]
    return statistics.mean(apart), max(apart)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))

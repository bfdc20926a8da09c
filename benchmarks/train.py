"""Pairs a second of DPO with LoRA on SmolLM2-135M: plain TRL with its best flags against prefloop, losses compared.

PREFLOOP_TEST_DATA=… python benchmarks/train.py [pairs] [rounds]

Needs a quiet machine, and PandaLM's test set in $PREFLOOP_TEST_DATA (its unanimous pairs are trained on). The variants
take turns, each in a process of its own:

  plain TRL   DPOTrainer as its documentation sets it up: bfloat16 base, bfloat16 autocast, no checkpointing
  first run   prefloop with nothing known: every reference log-probability is computed, layers are compiled
  warm        the same once more, the references known, as in every later training on these pairs

Compiling is counted apart: it is done once, and a training that is too short for it goes without. All see the same
batches in the same order from the same adapter; their losses must agree step by step.
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
from pathlib import Path

BATCH, MAX_LENGTH, RATE = 4, 512, 1e-4
AGREE = 0.02
"""Natural-log units: how far two losses of a step may differ by bfloat16's rounding."""


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


def plain(pairs, folder: Path) -> dict:
    """Train with TRL alone."""
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
        use_cpu=True,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.bfloat16),
        args=arguments,
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in in_training_order(pairs)]),
        processing_class=load_tokenizer(base.path),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    start = time.monotonic()
    trainer.train()
    return {"seconds": time.monotonic() - start, "compiling": 0.0, "losses": _losses(trainer)}


def ours(pairs, folder: Path) -> dict:
    """Train as `train_dpo` does."""
    from prefloop.models import SMALL_MODEL, load_tokenizer, resolve_model
    from prefloop.runs import silent
    from prefloop.train.preflight import preflight
    from prefloop.train.reference import cache_reference, reference_weights
    from prefloop.train.rows import in_training_order
    from prefloop.train.shortcuts import compile_layers
    from prefloop.train.trainer import build_trainer

    base, chosen = resolve_model(SMALL_MODEL), settings()
    tokenizer, ordered = load_tokenizer(base.path), in_training_order(pairs)
    longest = preflight(ordered, chosen, tokenizer).longest
    trainer = build_trainer(ordered, chosen, base=base, tokenizer=tokenizer, checkpoints=folder, longest=longest)
    start = time.monotonic()
    compile_layers(trainer, chosen)
    compiled = time.monotonic()
    counts = cache_reference(trainer, BATCH, silent, weights=reference_weights(base, chosen, None))
    trainer.train()
    done = time.monotonic()
    return {"seconds": done - compiled, "compiling": compiled - start, "losses": _losses(trainer)} | counts


def _losses(trainer) -> list[float]:
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def one(variant: str, count: int) -> None:
    """Train once and print what it took, as JSON."""
    from prefloop.train.surroundings import quiet_libraries

    with quiet_libraries(), tempfile.TemporaryDirectory() as folder:
        found = (plain if variant == "plain TRL" else ours)(pandalm(count), Path(folder))
    found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found))


def main(count: int = 32, rounds: int = 3) -> None:
    """Let the variants take turns, and print a table."""
    from prefloop.home import home

    taken: dict[str, list[dict]] = {"plain TRL": [], "first run": [], "warm": []}
    with tempfile.TemporaryDirectory() as scratch:
        # The models stay where they are; what this measures the making of starts from nothing.
        own = Path(scratch) / "home"
        own.mkdir()
        (own / "models").symlink_to(home() / "models")
        for turn in range(rounds):
            (own / "reference.sqlite").unlink(missing_ok=True)
            for variant, runs in taken.items():
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
    print("| | pairs/s | by plain TRL | peak memory | compiling, apart | largest difference of a step's loss |")
    print("|---|---|---|---|---|---|")
    expected = taken["plain TRL"][0]["losses"]
    for variant, runs in taken.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        apart = max(abs(a - b) for run in runs for a, b in zip(run["losses"], expected, strict=True))
        compiling = ", ".join(f"{run['compiling']:.0f}" for run in runs)
        peak = max(run["peak_mib"] for run in runs)
        print(
            f"| {variant} | {count / seconds:.2f} | {base / seconds:.1f}x | {peak} MiB | {compiling} s | {apart:.4f} |"
        )
        if apart > AGREE:
            sys.exit(f"the losses of {variant} differ from plain TRL's by {apart:.4f}, more than {AGREE}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))

"""Other tools' DPO on the pairs and settings of benchmarks/train.py, each from an environment of its own.

PREFLOOP_TEST_DATA=… python benchmarks/peers.py PATH/TO/llamafactory-cli [pairs]

LLaMA-Factory 0.9.5 pins transformers and TRL below what prefloop needs, so it can't share an environment:

  python -m venv peers && peers/bin/pip install torch llamafactory==0.9.5

It trains the same LoRA (rank 16, all linear layers) on the same pairs in as many steps, in bfloat16 on the CPU. Its
batches are drawn in another order and its chat template is its own, so losses are not compared; the time is that of its
training loop (`train_runtime`), without loading, as benchmarks/train.py counts it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from prefloop.models import SMALL_MODEL, resolve_model

import train


def main(program: str, count: int = 32) -> None:
    """Print the pairs a second of a peer."""
    pairs = train.pandalm(count)
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_inputs(pairs, Path(folder))
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1"}
        start = time.monotonic()
        done = subprocess.run(
            [program, "train", recipe], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        whole = time.monotonic() - start
    said = done.stdout + done.stderr
    found = re.search(r"train_runtime\W+(?:(\d+):(\d\d):)?([\d.]+)", said)
    if done.returncode or not found:
        sys.exit(f"{program} did not train:\n{said[-3000:]}")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    seconds += 60 * minutes + 3600 * hours
    print(
        f"LLaMA-Factory: {len(pairs)} pairs in {seconds:.1f} s, {len(pairs) / seconds:.2f} pairs/s; whole {whole:.0f} s"
    )


def write_inputs(pairs, folder: Path) -> Path:
    """Write the data and the settings as LLaMA-Factory reads them."""
    rows = [{"instruction": one.prompt[0].content, "chosen": one.chosen, "rejected": one.rejected} for one in pairs]
    (folder / "pairs.json").write_text(json.dumps(rows))
    columns = {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}
    listed = {"pairs": {"file_name": "pairs.json", "ranking": True, "columns": columns}}
    (folder / "dataset_info.json").write_text(json.dumps(listed))
    settings = {
        "model_name_or_path": str(resolve_model(SMALL_MODEL).path),
        "stage": "dpo",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_alpha": 32,
        "lora_target": "all",
        "pref_beta": 0.1,
        "pref_loss": "sigmoid",
        "dataset_dir": str(folder),
        "dataset": "pairs",
        "template": "chatml",
        "cutoff_len": train.MAX_LENGTH,
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": train.BATCH,
        "gradient_accumulation_steps": 1,
        "disable_gradient_checkpointing": True,
        "learning_rate": train.RATE,
        "num_train_epochs": 1,
        "bf16": True,
        "use_cpu": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

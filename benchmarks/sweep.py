"""Seconds of a sweep of eight trainings against one of plain TRL, on the same pairs. Needs a quiet CPU.

python benchmarks/sweep.py [pairs to train on] [base model]
PREFLOOP_TEST_DATA=… python benchmarks/sweep.py [pairs to train on] [base model] pandalm

Both train LoRA of rank 16 for one epoch in batches of 8 on the demonstration's pairs, or on those of PandaLM's test set
that all annotators agree on; the sweep also measures its eight adapters on the pairs held out. Its reference
log-probabilities are not in the store yet: the prompts are new each time.
"""

import multiprocessing
import sys
import tempfile
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from prefloop.collect import Message, PreferencePair, read_items, seal
from prefloop.collect.files import write_rows
from prefloop.loop import run_sweep
from prefloop.models import SMALL_MODEL, ModelFolder, resolve_model
from prefloop.recipe import load_recipe, recipe_run
from prefloop.train.rows import conversation_row
from prefloop.train.surroundings import quiet_libraries
from prefloop.train.sweep import SweepSettings
from prefloop.train.watching.held_out import DRAW, hold_out

from train import pandalm

DEMO = Path(str(files("prefloop") / "recipes/demo"))
MAX_LENGTH = 512
SWEEP = SweepSettings(over={"train.beta": (0.05, 0.1, 0.2, 0.5)}, seeds=2, held_out=0.2)


def main(count: int = 48, model: str = SMALL_MODEL, data: str = "demo") -> None:
    """Print the seconds of both and what one is of the other."""
    base, pairs = resolve_model(model), fresh(DATA[data](round(count / (1 - SWEEP.held_out))))
    training, held = hold_out(pairs, SWEEP.held_out, DRAW)
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: what it takes of memory must be free again when the sweep looks how much there is.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            alone = pool.apply(seconds_of_plain, (training, base, Path(folder) / "plain"))
            pool.close()
            pool.join()
        start = time.monotonic()
        swept(pairs, model, Path(folder) / "swept")
        eight = time.monotonic() - start
    print(f"plain TRL, one training on {len(training)} pairs: {alone:7.1f} s")
    print(f"a sweep of eight, measured on {len(held)} more:   {eight:7.1f} s, {eight / alone:.2f} times as long")


def demo(count: int) -> list[PreferencePair]:
    """Return pairs of the demonstration's items, whatever people said of them."""
    items = read_items(DEMO / "items.jsonl")[:count]
    return [PreferencePair(one.prompt, one.response_a, one.response_b, 1.0, one.id, (one.id,)) for one in items]


def fresh(pairs: list[PreferencePair]) -> list[PreferencePair]:
    """Have prompts say when they were made, so that nothing is known of them."""
    now = Message("system", f"You answer customers. It is {time.time():.0f}.")
    return [replace(one, prompt=(now, *(turn for turn in one.prompt if turn.role != "system"))) for one in pairs]


def seconds_of_plain(pairs: list[PreferencePair], base: ModelFolder, folder: Path) -> float:
    """Return what plain TRL takes, its start-up not counted."""
    with quiet_libraries():
        import trl  # noqa: F401

        start = time.monotonic()
        plain(pairs, base, folder)
        return time.monotonic() - start


def plain(pairs: list[PreferencePair], base: ModelFolder, folder: Path) -> None:
    """DPOTrainer as its documentation sets it up, in bfloat16 and without checkpointing."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    arguments = DPOConfig(
        output_dir=str(folder),
        activation_checkpointing=False,
        per_device_train_batch_size=8,
        num_train_epochs=1,
        learning_rate=1e-4,
        max_length=MAX_LENGTH,
        use_cpu=not torch.cuda.is_available(),
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    DPOTrainer(
        AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.bfloat16),
        args=arguments,
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in pairs]),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    ).train()


def swept(pairs: list[PreferencePair], model: str, folder: Path) -> None:
    """The eight trainings, from the pairs to the page."""
    overrides = [
        f"max_length={MAX_LENGTH}",
        "loss_type=[sigmoid]",
        "loss_weights=null",
        "epochs=1",
        "learning_rate=1e-4",
        f"base_model={model}",
    ]
    recipe = load_recipe(DEMO / "recipe.yaml", [f"train.{one}" for one in overrides])
    run = recipe_run(recipe, folder)
    seal([], 0.3, 1, run.folder / "collect/sealed.json")
    write_rows(run.folder / "collect/pairs.jsonl", pairs)
    run_sweep(run, recipe, SWEEP)


DATA = {"demo": demo, "pandalm": pandalm}

if __name__ == "__main__":
    main(*(int(one) if one.isdigit() else one for one in sys.argv[1:]))

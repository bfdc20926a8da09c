"""Seconds a step of DPO on SmolLM2-135M: plain TRL against prefloop's set-up of it, interleaved. Needs a quiet CPU.

python benchmarks/training_cpu.py [pairs a step] [words a response]
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from prefloop.collect import Message, PreferencePair
from prefloop.models import SMALL_MODEL, load_tokenizer, resolve_model
from prefloop.train import TrainSettings
from prefloop.train.reference import cache_reference
from prefloop.train.rows import conversation_row
from prefloop.train.surroundings import quiet_libraries
from prefloop.train.trainer import build_trainer

WORDS = "quick brown fox jumps over lazy dog while seven small ships sail past old stone harbour with bread and rain"
ROUNDS = 5


def main(batch: int = 4, words: int = 50) -> None:
    """Print the median step of each variant."""
    drawn = random.Random(0)

    def text(count: int) -> str:
        return " ".join(drawn.choice(WORDS.split()) for _ in range(count))

    pairs = [
        PreferencePair((Message("user", text(16)),), text(words), text(words), 1.0, str(n), (str(n),))
        for n in range(batch)
    ]
    with quiet_libraries(), tempfile.TemporaryDirectory() as folder:
        trainers = {"plain TRL": plain(pairs, Path(folder)), "prefloop": ours(pairs, Path(folder))}
        steps: dict[str, list[float]] = {name: [] for name in trainers}
        for _ in range(ROUNDS + 1):
            for name, trainer in trainers.items():
                steps[name].append(step(trainer))
    for name, taken in steps.items():
        middle = statistics.median(taken[1:])
        print(f"{name:10} {middle:6.2f} s a step, {batch / middle:5.2f} pairs/s (all: {[round(t, 2) for t in taken]})")


def plain(pairs: list[PreferencePair], folder: Path):
    """DPOTrainer as its documentation sets it up, in bfloat16 and without checkpointing."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    base = resolve_model(SMALL_MODEL)
    arguments = DPOConfig(
        output_dir=str(folder),
        activation_checkpointing=False,
        per_device_train_batch_size=len(pairs),
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.bfloat16),
        args=arguments,
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in pairs]),
        processing_class=load_tokenizer(base.path),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def ours(pairs: list[PreferencePair], folder: Path):
    """The same, as `train_dpo` sets it up."""
    base = resolve_model(SMALL_MODEL)
    settings = TrainSettings(batch_size=len(pairs))
    tokenizer = load_tokenizer(base.path)
    trainer = build_trainer(pairs, settings, base=base, tokenizer=tokenizer, checkpoints=folder, longest=200)
    cache_reference(trainer, len(pairs), lambda done, total: None)
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def step(trainer) -> float:
    """Seconds of one forward and backward pass over all pairs."""
    trainer.model.train()
    batch = trainer.data_collator(list(trainer.train_dataset))
    start = time.monotonic()
    trainer.training_step(trainer.model, batch)
    trainer.model.zero_grad()
    return time.monotonic() - start


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

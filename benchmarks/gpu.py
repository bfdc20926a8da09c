"""What one GPU does with prefloop, and what plain TRL does on it: called by gpu.sh, see there.

Random weights in the shapes of real models, random words: nothing is fetched, and speed and memory are those of the
real thing. Each check runs in a process of its own with a time limit; whatever is known is printed as it is known.

python benchmarks/gpu.py [--tiny] [--seconds 560] [--only NAME]
"""

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "flash_attn")
SHAPES = {
    # As in the config.json of each: type, hidden, intermediate, layers, heads, key-value heads, vocabulary, tied
    "Qwen2.5-1.5B": ("qwen2", 1536, 8960, 28, 12, 2, 151_936, True),
    "Llama-3.1-8B": ("llama", 4096, 14_336, 32, 32, 8, 128_256, False),
    "tiny": ("llama", 64, 128, 2, 4, 2, 4200, True),
}
CHECKS = {
    # name: shape, quantisation, gradient checkpointing, pairs a step, steps a pass, seconds at most
    "LoRA, Qwen2.5-1.5B": ("Qwen2.5-1.5B", None, False, 8, 6, 130),
    "QLoRA nf4, Qwen2.5-1.5B": ("Qwen2.5-1.5B", "nf4", False, 8, 6, 130),
    "QLoRA nf4, Llama-3.1-8B": ("Llama-3.1-8B", "nf4", True, 4, 4, 170),
    "LoRA, Llama-3.1-8B": ("Llama-3.1-8B", None, True, 4, 4, 170),
}
TINY = {
    "LoRA, tiny": ("tiny", None, False, 2, 2, 300),
    "QLoRA nf4, tiny": ("tiny", "nf4", True, 2, 2, 300),
}
PASSES = 3
WORDS = 4000
MAX_LENGTH = 1024


def main() -> None:
    """Run every check in its own process, and print the table as it fills."""
    options = _options()
    if options.check:
        print(json.dumps(check(options.check, Path(options.models))), flush=True)
        return
    checks = TINY if options.tiny else CHECKS
    end = time.monotonic() + options.seconds
    print(head(), flush=True)
    with tempfile.TemporaryDirectory() as models:
        for name in checks:
            if options.only and options.only not in name:
                continue
            left = min(checks[name][-1], end - time.monotonic())
            print("\n".join(rows(name, run(name, Path(models), left))), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="Toy shapes, for a machine without a GPU.")
    parser.add_argument("--seconds", type=float, default=560, help="For all checks together.")
    parser.add_argument("--only", help="Only checks with this in their name.")
    parser.add_argument("--check", help=argparse.SUPPRESS)
    parser.add_argument("--models", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(name: str, models: Path, seconds: float) -> dict:
    """Run one check in a process; return its findings, or what became of it."""
    if seconds < 20:
        return {"failed": "not run: no time left"}
    command = [sys.executable, __file__, "--check", name, "--models", str(models)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {seconds:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])
    print(done.stderr[-3000:], file=sys.stderr, flush=True)
    last = done.stderr.strip().splitlines() or ["nothing"]
    return {"failed": f"exit {done.returncode}: {last[-1][:200]}"}


def head() -> str:
    """Say when, where and with what, and open the table."""
    import torch

    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else "CPU (no GPU: a smoke test, the numbers mean nothing)"
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {device}, {', '.join(found)}.\n"
        f"{PASSES} passes of each, interleaved; medians, with the slowest and the fastest pass. Peak memory is each "
        "one's own.\n\n"
        "| shape and method | | pairs/s | tokens/s | peak GiB | loss at step 0 | trainable tensors moved | frozen |\n"
        "|---|---|---|---|---|---|---|---|"
    )


def rows(name: str, found: dict) -> list[str]:
    """Write a check's rows of the table."""
    if "failed" in found:
        return [f"| {name} | {found['failed']} | | | | | | |"]
    lines = []
    for who, row in found["contenders"].items():
        pairs = [found["pairs"] / seconds for seconds in row["seconds"]]
        speed = f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
        tokens = statistics.median(found["tokens"] / seconds for seconds in row["seconds"])
        memory = f"{row['peak'] / 2**30:.1f}" if row["peak"] else ""
        verdict = "" if row["loss"] is None else f"{row['loss']:.4f} (ln 2 is {math.log(2):.4f})"
        moved = "" if row["moved"] is None else f"{row['moved']} of {row['trainable']}"
        frozen = (
            "" if row["moved"] is None else ("all still" if not row["frozen_moved"] else f"{row['frozen_moved']} moved")
        )
        lines.append(f"| {name} | {who} | {speed} | {tokens:.0f} | {memory} | {verdict} | {moved} | {frozen} |")
    ours, theirs = (statistics.median(found["contenders"][who]["seconds"]) for who in ("prefloop", "plain TRL"))
    once = found["reference_seconds"]
    first = f"{theirs / (ours + once):.2f}x with the reference pass in it ({once:.1f} s)"
    return [*lines, f"| {name} | prefloop to plain TRL | {theirs / ours:.2f}x, {first} | | | | | |"]


def check(name: str, models: Path) -> dict:
    """Train both ways on one shape, pass by pass in turns."""
    import torch
    from prefloop.train.surroundings import quiet_libraries

    shape, quantization, checkpointing, batch, steps, _ = (CHECKS | TINY)[name]
    with quiet_libraries():
        base, tokenizer = make_model(shape, models)
        pairs = make_pairs(batch * steps, shorter=10 if shape == "tiny" else 1)
        loaded = {"prefloop": 0, "plain TRL": 0}
        before, trainers = allocated(), {}
        for who, build in (("prefloop", ours), ("plain TRL", plain)):
            trainers[who] = build(pairs, base, tokenizer, quantization, checkpointing, batch, models)
            trainers[who].create_optimizer()
            loaded[who], before = allocated() - before, allocated()
        reference = timed(lambda: know_reference(trainers["prefloop"], batch))
        batches = {who: ready(trainer) for who, trainer in trainers.items()}
        found = {
            who: {"seconds": [], "peak": 0} | moving(trainer, batches[who][0]) for who, trainer in trainers.items()
        }
        for _ in range(PASSES):
            for who, trainer in trainers.items():
                if torch.cuda.is_available():
                    torch.cuda.reset_peak_memory_stats()
                found[who]["seconds"].append(timed(lambda t=trainer, b=batches[who]: [step(t, one) for one in b]))
                if torch.cuda.is_available():
                    others = sum(size for other, size in loaded.items() if other != who)
                    found[who]["peak"] = max(found[who]["peak"], torch.cuda.max_memory_allocated() - others)
    tokens = sum(int(one["attention_mask"].sum()) for one in batches["plain TRL"])
    return {"contenders": found, "pairs": len(pairs), "tokens": tokens, "reference_seconds": reference}


def make_model(shape: str, models: Path):
    """Write a model folder with random weights in a real shape, and a tokenizer of plain words."""
    import torch
    from prefloop.models import resolve_model
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = models / shape
    tokenizer = words_tokenizer()
    if not (folder / "config.json").exists():
        kind, hidden, inner, layers, heads, groups, vocabulary, tied = SHAPES[shape]
        config = AutoConfig.for_model(
            kind,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=groups,
            vocab_size=vocabulary,
            tie_word_embeddings=tied,
            max_position_embeddings=4096,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        torch.manual_seed(0)
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return resolve_model(str(folder)), tokenizer


def words_tokenizer():
    """A tokenizer with one token a word, and a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<unk>", "<pad>", "<end>", "<user>", "<assistant>"]
    vocabulary = {word: number for number, word in enumerate([*marks, *(f"w{n}" for n in range(WORDS))])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="<end>",
        additional_special_tokens=["<user>", "<assistant>"],
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} <end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    return tokenizer


def make_pairs(count: int, *, shorter: int) -> list:
    """Pairs of random words: prompts of 100 to 400, answers of 50 to 350, or that many times shorter."""
    from prefloop.collect import Message, PreferencePair

    drawn = random.Random(0)

    def text(least: int, most: int) -> str:
        return " ".join(f"w{drawn.randrange(WORDS)}" for _ in range(drawn.randint(least // shorter, most // shorter)))

    return [
        PreferencePair((Message("user", text(100, 400)),), text(50, 350), text(50, 350), 1.0, str(n), (str(n),))
        for n in range(count)
    ]


def ours(pairs, base, tokenizer, quantization, checkpointing, batch, folder):
    """The trainer as `train_dpo` sets it up."""
    from prefloop.train import TrainSettings
    from prefloop.train.trainer import build_trainer

    settings = TrainSettings(
        base_model=base.name,
        batch_size=batch,
        max_length=MAX_LENGTH,
        quantization=quantization,
        gradient_checkpointing=checkpointing,
    )
    return build_trainer(
        pairs, settings, base=base, tokenizer=tokenizer, checkpoints=folder / "ours", longest=MAX_LENGTH
    )


def plain(pairs, base, tokenizer, quantization, checkpointing, batch, folder):
    """DPOTrainer by TRL's documentation: bfloat16 base, fused attention, adapters on all linear layers."""
    import importlib.util

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from prefloop.train.rows import conversation_row
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from trl import DPOConfig, DPOTrainer

    cuda, flash = torch.cuda.is_available(), importlib.util.find_spec("flash_attn") is not None
    extra = {"attn_implementation": "flash_attention_2" if flash and cuda else "sdpa"}
    extra["device_map"] = {"": 0 if cuda else "cpu"}
    if quantization:
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    arguments = DPOConfig(
        output_dir=str(folder / "plain"),
        per_device_train_batch_size=batch,
        max_length=MAX_LENGTH,
        bf16=True,
        learning_rate=5e-5,
        gradient_checkpointing=checkpointing,
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        report_to=[],
        disable_tqdm=True,
    )
    return DPOTrainer(
        AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.bfloat16, **extra),
        args=arguments,
        train_dataset=Dataset.from_list([conversation_row(pair) for pair in pairs]),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )


def know_reference(trainer, batch: int) -> None:
    """Let prefloop compute its reference, as it does once before it trains."""
    from prefloop.train.speed.reference import cache_reference

    cache_reference(trainer, batch, lambda done, total: None)


def ready(trainer) -> list[dict]:
    """Return the batches of an epoch as the trainer's own loader gives them."""
    trainer.current_gradient_accumulation_steps = 1
    trainer.model = trainer.accelerator.prepare(trainer.model)  # autocast, as `train()` would have it
    trainer.model.train()
    return list(trainer.get_train_dataloader())


def step(trainer, batch: dict) -> float:
    """Take one optimiser step; return its loss."""
    loss = trainer.training_step(trainer.model, dict(batch))
    trainer.optimizer.step()
    trainer.optimizer.zero_grad()
    return float(loss)


def moving(trainer, batch: dict) -> dict:
    """Take two steps; say what the first one's loss was, and which tensors they moved."""

    def sums() -> dict:
        return {
            name: (float(parameter.data.double().sum()), float(parameter.data.double().abs().sum()))
            for name, parameter in trainer.model.named_parameters()
        }

    before = sums()
    trainable = {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}
    first = step(trainer, batch)
    step(trainer, batch)  # B is zero at first, so that A moves from the second step on
    after = sums()
    moved = {name for name in before if before[name] != after[name]}
    return {
        "loss": first,
        "trainable": len(trainable),
        "moved": len(moved & trainable),
        "frozen_moved": len(moved - trainable),
    }


def timed(work) -> float:
    """Return the seconds that something takes, the device's part included."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.monotonic()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - start


def allocated() -> int:
    """Bytes on the GPU."""
    import torch

    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


if __name__ == "__main__":
    main()

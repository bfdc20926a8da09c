"""One turn of the loop in miniature: a random two-layer model, an adapter that changes what it says, and a report."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefloop.collect import Item, Message, Origin, PreferencePair
from prefloop.evaluate.estimate import Comparison, Estimate, LeftOut, ModelIdentity, WinRate
from prefloop.evaluate.parts import Check, Criterion, Example, General, HowMade, Lengths, Preference, SealedSet, Slice
from prefloop.evaluate.report import Report
from prefloop.models import ModelFolder, fingerprint
from prefloop.publish import Evidence
from prefloop.train import Adapter, TrainSettings
from prefloop.train.adapter import adapter_sha256, write_record
from prefloop.train.rows import data_sha256

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights and a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model") / "tiny"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    vocabulary = {token: index for index, token in enumerate([*special, *alphabet])}
    inner = Tokenizer(models.BPE(vocabulary, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=0, pad_token_id=0, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter_folder(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter on it whose matrices are far from zero, as train/ leaves one but for its record."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("run") / "train" / "adapter"
    model = AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.bfloat16)
    tuned = get_peft_model(
        model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(base_folder).save_pretrained(folder)
    return folder


def pair(prompt: str, chosen: str, rejected: str) -> PreferencePair:
    row = item(prompt, chosen, rejected)
    return PreferencePair(row.prompt, chosen, rejected, 2 / 3, row.id, (f"vote-{row.id}-1", f"vote-{row.id}-2"))


def item(prompt: str, a: str, b: str) -> Item:
    dataset, model = (
        Origin("dataset", "tiny-set", row="3"),
        Origin("model", "tiny-model", sampling={"temperature": 1.0}),
    )
    return Item((Message("user", prompt),), a, b, dataset, model)


TRAINING = tuple(pair(f"question {n}", f"secret good answer {n}", f"secret bad answer {n}") for n in range(6))
SEALED = tuple(pair(f"sealed question {n}", f"secret better {n}", f"secret worse {n}") for n in range(4))


def estimate(value: float, low: float, high: float, n: int = 41) -> Estimate:
    return Estimate(value, low, high, n, f"bootstrap over {n} prompts")


def compare(base: float, tuned: float, verdict: Any, n: int = 41) -> Comparison:
    difference = estimate(tuned - base, tuned - base - 0.07, tuned - base + 0.07, n)
    ends = estimate(base, base - 0.1, base + 0.1, n), estimate(tuned, tuned - 0.1, tuned + 0.1, n)
    return Comparison(*ends, difference, 0.03, 0.123, verdict, 300)


@pytest.fixture
def report() -> Report:
    """A report in which one number got better, one worse, and the others can't tell."""
    unclear = "can't tell yet"
    preference = Preference(
        normalised=compare(0.512, 0.731, "better"),
        summed=compare(0.275, 0.281, unclear),
        reward=estimate(0.704, 0.651, 0.757),
        margins=(0.1, -0.2),
        longer=estimate(0.673, 0.61, 0.73),
        shorter=estimate(0.327, 0.27, 0.39),
        best_rule="longer",
        over_rule=estimate(0.058, -0.02, 0.13),
        matched=compare(0.52, 0.6, unclear, 23),
        matched_within=0.2,
        ceiling=estimate(0.81, 0.79, 0.83),
        slices=(Slice("form", compare(0.5, 0.777, "better", 20), estimate(0.6, 0.5, 0.7, 20)),),
        ties={"normalised": 0},
    )
    settings = {
        "confidence": 0.95,
        "max_new_tokens": 8,
        "general": {"data": "/data/somewhere/arc.jsonl", "limit": None},
    }
    return Report(
        verdict="better",
        summary="On 41 sealed prompts the tuned model prefers what people chose in 0.731 of cases.",
        caveats=("Only 41 prompts were sealed.",),
        base=ModelIdentity("tiny", "local", "0" * 64),
        tuned=ModelIdentity("adapter", "local", "1" * 64),
        sealed=SealedSet(len(SEALED), 4, "2" * 64, 1),
        preference=preference,
        lengths=Lengths((8, 9), (6, 7), estimate(-2.0, -3.0, -1.0), 1, 0),
        check=Check((Criterion("shape", compare(0.2, 0.9, "better")), Criterion("all", compare(0.1, 0.8, "better")))),
        win_rate=WinRate("check", estimate(0.66, 0.55, 0.77), 20, 14, 7, 0, 0),
        general=General("arc.jsonl", "3" * 64, compare(0.31, 0.22, "worse", 200)),
        examples=(Example("p", (Message("user", "question 0"),), "base says", "tuned says", ("form",)),),
        left_out=(LeftOut("too long", ("a", "b")),),
        how=HowMade({"prefloop": "0.1.0"}, settings, 0, {"pairs": 1.5}, "2026-01-02T03:04:05+00:00"),
    )


def record_adapter(folder: Path, base: ModelFolder) -> Adapter:
    metrics = {"loss": 0.61, "rewards/accuracies": 0.72, "rewards/margins": 0.4}
    adapter = Adapter(
        folder, base.name, base.revision, base.sha256, data_sha256(TRAINING), adapter_sha256(folder), TrainSettings(),
        pairs=len(TRAINING), steps=3, seconds=123.0, pairs_per_second=0.5, metrics=metrics, versions={"trl": "1.16.0"},
    )  # fmt: skip
    write_record(adapter)
    return adapter


@pytest.fixture
def evidence(base_folder: Path, adapter_folder: Path, report: Report) -> Evidence:
    """All of it together, with the base as a local folder and paths of this machine in the recipe."""
    base = ModelFolder(str(base_folder), base_folder, "folder", "local", fingerprint(base_folder))
    adapter = record_adapter(adapter_folder, base)
    recipe = {
        "name": "tiny-run",
        "task": "Answer a question in one word.\n",
        "collect": {"items": "/data/of/mine/items.jsonl", "votes": None, "sealed_seed": 7, "queue": "tiny"},
        "train": json.loads(TrainSettings(base_model=str(base_folder)).model_dump_json()),
        "evaluate": {},
        "publish": {},
    }
    collection = {
        "queue": "tiny", "protocol": "abc", "items": 12, "votes": 40, "statuses": {"submitted": 36, "discarded": 4},
        "unanswered": 1, "foreign": [], "outcomes": {"A": 6, "B": 4, "tie": 2}, "left_out": {"tie": ["x", "y"]},
        "edits": 0, "edits_left_out": [], "sealed_prompts": 4, "training_pairs": 6, "sealed_pairs": 4,
        "agreement": {
            "items": 11, "votes": 36, "annotators": 5, "alpha": 0.412, "alpha_interval": [0.3, 0.5], "pairwise": 0.678,
            "pairwise_interval": [0.6, 0.7], "choices": {"A": 20, "B": 12, "tie": 4}, "first_shown": 0.55,
        },
    }  # fmt: skip
    items = [item("question 0", "a", "b"), item("question 1", "c", "d")]
    tuned = replace(report.tuned, sha256=adapter.sha256)
    return Evidence(recipe, base, adapter, collection, items, TRAINING, SEALED, replace(report, tuned=tuned))


@pytest.fixture
def report_html(tmp_path: Path, base_folder: Path) -> Path:
    """A page that names folders of this machine, as a traceback or a setting in it might."""
    path = tmp_path / "run" / "report.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"<html><p>base {base_folder}, run {path.parent}/train/adapter</p></html>")
    return path

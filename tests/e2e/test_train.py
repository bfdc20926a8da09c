"""Training with the real TRL: that it learns, that only the adapter moves, that nothing is lost when it is killed."""

import hashlib
import importlib.util
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from prefloop.errors import Problems, UserError
from prefloop.models import load_model, load_tokenizer
from prefloop.train import TrainSettings, merge_adapter, preflight, read_adapter, train_dpo
from prefloop.train.rows import in_training_order, tokenise
from prefloop.train.watching.callback import SPEED
from safetensors.torch import load_file

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(learning_rate=1e-3, epochs=2, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8)


def weights(adapter):
    return load_file(adapter.path / "adapter_model.safetensors")


def rows(folder):
    """The rows of metrics.jsonl without what depends on the machine's mood."""
    read = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in SPEED} for row in read]


def score(model, tokens, side):
    """The summed log-probability of the scored part of one side."""
    ids = torch.tensor([tokens.prompt + side])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1].float()
    taken = torch.log_softmax(logits, -1).gather(-1, ids[0, 1:, None])[:, 0]
    return float(taken[len(tokens.prompt) - 1 :].sum())


@pytest.fixture(scope="module")
def quick_adapter(tiny_model, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("quick")
    seen = []
    made = request.getfixturevalue("module_pairs")
    adapter = train_dpo(
        made, QUICK, base=tiny_model, folder=folder, progress=lambda done, total: seen.append((done, total))
    )
    return adapter, folder, seen


@pytest.fixture(scope="module")
def module_pairs():
    from prefloop.collect import Message, PreferencePair

    def pair(number):
        prompt = (Message("user", f"Where is parcel {number}?"),)
        return PreferencePair(
            prompt, f"Parcel {number} arrives today.", "No idea" + "!" * (number % 4), 1.0, "i", ("v",)
        )

    return [pair(number) for number in range(10)]


def test_the_folder_holds_everything_and_nothing_else(quick_adapter, tiny_model, module_pairs):
    adapter, folder, seen = quick_adapter
    assert {path.name for path in folder.iterdir()} == {
        "adapter",
        "alarms.json",
        "checks.json",
        "data.json",
        "metrics.jsonl",
        "preflight.json",
    }
    assert {path.name for path in adapter.path.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "prefloop.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert read_adapter(adapter.path) == adapter
    assert (adapter.pairs, adapter.steps, adapter.base_sha256) == (10, 6, tiny_model.sha256)
    assert " of " in adapter.hardware
    assert adapter.data_sha256 == json.loads((folder / "data.json").read_text())["sha256"]
    assert [row["step"] for row in rows(folder)] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "grad_norm"} <= set(adapter.metrics)
    assert json.loads((adapter.path / "adapter_config.json").read_text())["base_model_name_or_path"] == tiny_model.name
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (70, 70)


def test_only_the_adapter_moves_and_all_of_it(tiny_model, module_pairs, tmp_path):
    from prefloop.train.speed.reference import cache_reference
    from prefloop.train.trainer import build_trainer

    before = hashlib.sha256((tiny_model.path / "model.safetensors").read_bytes()).hexdigest()
    trainer = build_trainer(
        module_pairs,
        # The smallest step that anyone takes: bfloat16 weights would not move by it.
        QUICK.model_copy(update={"learning_rate": 5e-6, "warmup": 0.0}),
        base=tiny_model,
        tokenizer=load_tokenizer(tiny_model.path),
        checkpoints=tmp_path / "checkpoints",
        longest=100,
    )
    cache_reference(trainer, 4, lambda done, total: None)
    start = {name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()}
    trainer.train()
    after = dict(trainer.model.named_parameters())
    trainable = {name for name, parameter in after.items() if parameter.requires_grad}
    assert trainable == {name for name in after if "lora_" in name}
    assert len(trainable) == 2 * 7 * 2  # two layers, seven linear layers each, A and B
    for name, parameter in after.items():
        assert torch.equal(parameter, start[name]) != (name in trainable), name
        assert parameter.dtype == (torch.float32 if name in trainable else torch.bfloat16), name
    assert hashlib.sha256((tiny_model.path / "model.safetensors").read_bytes()).hexdigest() == before


def test_the_order_of_the_pairs_changes_no_weight(quick_adapter, tiny_model, module_pairs, tmp_path):
    adapter, _, _ = quick_adapter
    shuffled = random.Random(1).sample(module_pairs, len(module_pairs))
    again = train_dpo(shuffled, QUICK, base=tiny_model, folder=tmp_path)
    assert again.sha256 == adapter.sha256
    # Asked to, it starts anew, and gets there again.
    anew = train_dpo(module_pairs, QUICK, base=tiny_model, folder=tmp_path, resume=False)
    assert anew.sha256 == adapter.sha256


def test_another_seed_changes_them(quick_adapter, tiny_model, module_pairs, tmp_path):
    adapter, _, _ = quick_adapter
    other = train_dpo(module_pairs, QUICK.model_copy(update={"seed": 7}), base=tiny_model, folder=tmp_path)
    assert other.sha256 != adapter.sha256


def test_a_finished_training_is_not_done_again_unless_asked(quick_adapter, tiny_model, module_pairs):
    adapter, folder, _ = quick_adapter
    before = (adapter.path / "adapter_model.safetensors").stat().st_mtime_ns
    calls = []
    again = train_dpo(
        module_pairs, QUICK, base=tiny_model, folder=folder, progress=lambda done, total: calls.append(done)
    )
    assert (again, calls) == (adapter, [])
    assert (adapter.path / "adapter_model.safetensors").stat().st_mtime_ns == before


class Killed(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("micro_batch_size", [None, 2])
def test_a_stopped_training_resumes_to_the_same_weights(tiny_model, module_pairs, tmp_path, micro_batch_size, caplog):
    chosen = QUICK.model_copy(update={"save_every": 2, "micro_batch_size": micro_batch_size})
    whole = train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "whole")

    def stop_after_step_5(done, total):
        if done > 10 + 60 * 4.5 / 6:
            raise Killed

    with pytest.raises(Killed):
        train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "cut", progress=stop_after_step_5)
    checkpoints = tmp_path / "cut" / "checkpoints"
    # The newest one is torn: its weights are half there and it was never marked.
    torn = checkpoints / "checkpoint-4"
    (torn / "prefloop.json").unlink()
    (torn / "adapter_model.safetensors").write_bytes(b"half")
    with caplog.at_level("INFO", "prefloop.train"):
        resumed = train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "cut")
    assert "checkpoint-4 is incomplete" in caplog.text
    assert "resuming from step 2" in caplog.text
    expected, found = weights(whole), weights(resumed)
    assert expected.keys() == found.keys()
    assert max(float((expected[name] - found[name]).abs().max()) for name in expected) == 0.0
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert not checkpoints.exists()


def test_a_killed_process_resumes_to_the_same_weights(tiny_model, module_pairs, tmp_path):
    """SIGKILL at any moment after the second step: nothing can be tidied up."""
    chosen = QUICK.model_copy(update={"save_every": 1, "epochs": 4})
    script = tmp_path / "train.py"
    script.write_text(
        "import json, sys\n"
        "from pathlib import Path\n"
        "from prefloop.collect import read_pairs\n"
        "from prefloop.models import resolve_model\n"
        "from prefloop.train import TrainSettings, train_dpo\n"
        "settings, base, pairs, folder = sys.argv[1:]\n"
        "train_dpo(read_pairs(Path(pairs)), TrainSettings.model_validate_json(settings),"
        " base=resolve_model(base), folder=Path(folder))\n"
    )
    from prefloop.collect import write_rows

    write_rows(tmp_path / "pairs.jsonl", module_pairs)
    arguments = [chosen.model_dump_json(), str(tiny_model.path), str(tmp_path / "pairs.jsonl"), str(tmp_path / "cut")]
    process = subprocess.Popen([sys.executable, str(script), *arguments])
    metrics = tmp_path / "cut" / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training was over before it could be killed"
    whole = train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "whole")
    resumed = train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "cut")
    assert resumed.sha256 == whole.sha256
    assert [row["step"] for row in rows(tmp_path / "cut")] == list(range(1, 13))


def test_checkpoints_of_other_settings_are_not_resumed(tiny_model, module_pairs, tmp_path, caplog):
    chosen = QUICK.model_copy(update={"save_every": 1})

    def stop(done, total):
        if done > 10 + 60 * 2.5 / 6:
            raise Killed

    with pytest.raises(Killed):
        train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "a", progress=stop)
    other = chosen.model_copy(update={"beta": 0.5})
    found = train_dpo(module_pairs, other, base=tiny_model, folder=tmp_path / "a")
    assert "belongs to another training" in caplog.text
    assert found.sha256 == train_dpo(module_pairs, other, base=tiny_model, folder=tmp_path / "b").sha256


def test_unfit_data_is_refused_before_anything_is_trained(tiny_model, module_pairs, tmp_path):

    same = replace(module_pairs[0], rejected=module_pairs[0].chosen)
    with pytest.raises(Problems, match=same.id):
        train_dpo([*module_pairs, same], QUICK, base=tiny_model, folder=tmp_path)
    assert same.id in (tmp_path / "preflight.json").read_text()
    assert not (tmp_path / "adapter").exists()


def test_an_unknown_layer_is_named_with_those_there_are(tiny_model, module_pairs, tmp_path):
    wrong = QUICK.model_copy(update={"target_modules": ("q_proj", "Wqkv")})
    with pytest.raises(UserError, match=r"Wqkv is no linear layer .* down_proj, gate_proj"):
        train_dpo(module_pairs, wrong, base=tiny_model, folder=tmp_path)


def test_the_adapter_knows_its_weights_and_its_base(quick_adapter, tiny_model, small_model, tmp_path):
    import shutil

    adapter, _, _ = quick_adapter
    copied = tmp_path / "copy"
    shutil.copytree(adapter.path, copied)
    data = bytearray((copied / "adapter_model.safetensors").read_bytes())
    data[-1] ^= 1
    (copied / "adapter_model.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="not those that"):
        read_adapter(copied)
    with pytest.raises(UserError, match=r"has no prefloop\.json"):
        read_adapter(tiny_model.path)
    with pytest.raises(UserError, match="was trained on"):
        merge_adapter(adapter, small_model, tmp_path / "merged")


def test_a_merged_model_says_what_base_and_adapter_say(quick_adapter, tiny_model, module_pairs, tmp_path):
    adapter, _, _ = quick_adapter
    merged = merge_adapter(adapter, tiny_model, tmp_path / "merged")
    tokenizer = load_tokenizer(merged.path)
    tokens = tokenise(module_pairs[0], tokenizer)
    apart = load_model(tiny_model.path, adapter=adapter.path, dtype=torch.float32)
    plain = load_model(tiny_model.path, dtype=torch.float32)
    together = load_model(merged.path, dtype=torch.float32)
    expected = score(apart, tokens, tokens.chosen)
    assert abs(score(together, tokens, tokens.chosen) - expected) < 0.05 * len(tokens.chosen)
    # The adapter has an effect that is far larger than the rounding.
    effect = abs(score(plain, tokens, tokens.chosen) - expected)
    assert abs(score(together, tokens, tokens.chosen) - expected) < effect / 5
    with pytest.raises(UserError, match="not empty"):
        merge_adapter(adapter, tiny_model, tmp_path / "merged")


@pytest.mark.parametrize("share_prompts", [False, True])
def test_the_fast_head_says_what_trl_says(tiny_model, module_pairs, tmp_path, share_prompts):
    """Contract with TRL 1.16: same fields, same numbers, same gradient, with and without prompt and padding."""
    from prefloop.train import trainer as ours
    from prefloop.train.checks.first_step import TOKENS
    from prefloop.train.speed.completion_head import has_plain_head, score_responses_only
    from prefloop.train.speed.side_by_side import Lanes

    arguments = {"base": tiny_model, "tokenizer": load_tokenizer(tiny_model.path), "longest": 100}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "score_responses_only", lambda model, **_: None)
        # Beside short pairs, one whose long answers are cheaper to encode apart, and one that max_length cuts.
        long = replace(module_pairs[0], chosen="A seat. " * 30, rejected="No seat. " * 28)
        trainer = ours.build_trainer(
            [*module_pairs[:5], long], QUICK.model_copy(update={"max_length": 100}), checkpoints=tmp_path, **arguments
        )
    model = trainer.model.float()
    batch = trainer.data_collator(list(trainer.train_dataset))
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)

    def run():
        model.zero_grad()
        found = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=labels,
            fused_lm_head=True,
            use_cache=False,
        )
        (found.log_probs.sum(1) * torch.arange(1.0, 13.0)).sum().backward()
        return found, {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}

    theirs, their_grads = run()
    score_responses_only(model.get_base_model(), lanes=Lanes(2) if share_prompts else None)
    read = []
    model.get_input_embeddings().register_forward_hook(lambda _, given, __: read.append(given[0].numel()))
    fast, fast_grads = run()
    padded, rows = batch["input_ids"].numel(), list(trainer.train_dataset)
    prompts, answers = (sum(len(row[name]) for row in rows for name in of) for of in (TOKENS[:1], TOKENS[1:]))
    assert sum(read) < min(padded, 2 * prompts + answers) if share_prompts else sum(read) == padded
    for field in ("loss", "log_probs", "entropy", "mean_logits"):
        torch.testing.assert_close(fast[field], theirs[field], rtol=1e-4, atol=1e-4)
    assert torch.equal(fast.is_top1, theirs.is_top1)
    for name, grad in their_grads.items():
        torch.testing.assert_close(fast_grads[name], grad, rtol=1e-3, atol=1e-3 * float(grad.abs().max()) + 1e-8)
    assert any(float(grad.abs().max()) > 0 for grad in their_grads.values())
    assert has_plain_head(model.get_base_model())
    model.config.logits_scaling = 8.0
    assert not has_plain_head(model.get_base_model())


def test_the_cached_reference_is_what_trl_computes_each_step(tiny_model, module_pairs, tmp_path):
    from prefloop.train.speed.reference import cache_reference
    from prefloop.train.trainer import build_trainer

    trainer = build_trainer(
        module_pairs,
        QUICK,
        base=tiny_model,
        tokenizer=load_tokenizer(tiny_model.path),
        checkpoints=tmp_path,
        longest=100,
    )
    batch = trainer.data_collator(list(trainer.train_dataset))
    each_step = torch.stack(trainer.compute_ref_log_probs(trainer.model, batch))
    cache_reference(trainer, 3, lambda done, total: None)
    cached = trainer.data_collator(list(trainer.train_dataset))
    found = torch.stack([cached["ref_chosen_logps"], cached["ref_rejected_logps"]])
    # Other batches, other padding: bfloat16 rounds elsewhere.
    torch.testing.assert_close(found, each_step, rtol=5e-3, atol=0.5)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="the qlora extra is not installed")
@pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes")
def test_a_base_in_four_bits_is_trained_on(tiny_model, module_pairs, tmp_path):
    chosen = QUICK.model_copy(update={"quantization": "nf4", "epochs": 1})
    adapter = train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path)
    assert {value.dtype for value in weights(adapter).values()} == {torch.float32}
    assert all(float(value.abs().max()) > 0 for value in weights(adapter).values())
    assert adapter.steps == 3


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the wandb extra is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:wandb", "ignore::ResourceWarning")
def test_wandb_gets_settings_and_metrics_offline_and_no_secret(tiny_model, module_pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "5ec2e7" * 6 + "abcd")
    monkeypatch.setenv("HF_TOKEN", "hf_verysecrettoken")
    monkeypatch.chdir(tmp_path)
    chosen = QUICK.model_copy(update={"report_to": ("wandb",), "epochs": 1, "beta": 0.12345})
    train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path / "run")
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    # W&B's own process writes on after the run has ended here.
    content, expected = b"", (b"data_sha256", b"0.12345", b"rewards/margins")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(part in content for part in expected):
        time.sleep(0.2)
        content = written.read_bytes()
    assert [part for part in expected if part not in content] == []
    everything = b"".join(path.read_bytes() for path in (tmp_path / "run" / "wandb").rglob("*") if path.is_file())
    assert b"5ec2e7" not in everything
    assert b"hf_verysecret" not in everything
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the wandb extra is not installed")
def test_wandb_without_a_key_is_a_sentence_not_a_traceback(tmp_path):
    """In a process of its own, because wandb settles its mode once a process."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom prefloop.errors import UserError\n"
        "from prefloop.train import TrainSettings\nfrom prefloop.train.surroundings import trackers\n"
        "try:\n    with trackers(TrainSettings(report_to=('wandb',)), Path(sys.argv[1]), {}): pass\n"
        "except UserError as error: print('told:', error)\n"
    )
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "WANDB_MODE": "online"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=bare,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("told: W&B did not start")
    assert "WANDB_MODE=offline" in done.stdout


def test_a_tracker_that_is_not_installed_is_named_with_the_way_to_get_it(tiny_model, module_pairs, tmp_path):
    missing = [name for name in ("tensorboard", "trackio") if importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip("every tracker is installed")
    chosen = QUICK.model_copy(update={"report_to": tuple(missing)})
    with pytest.raises(Problems, match=rf"prefloop\[{missing[0]}\]"):
        train_dpo(module_pairs, chosen, base=tiny_model, folder=tmp_path)


@pytest.fixture(scope="module")
def small_adapter(small_model, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("small")
    pairs = request.getfixturevalue("module_pairs_for_small")
    chosen = TrainSettings(learning_rate=3e-4, epochs=3, batch_size=4, max_length=128, warmup=0.0)
    return train_dpo(pairs, chosen, base=small_model, folder=folder), folder, pairs


@pytest.fixture(scope="module")
def module_pairs_for_small():
    from prefloop.collect import Message, PreferencePair

    towns = ("Oslo", "Lima", "Bergen", "Quito", "Turin", "Perth", "Delft", "Kyoto", "Porto", "Tunis", "Izmir", "Leeds")
    return [
        PreferencePair(
            (Message("user", f"Is a ticket to {town} still to be had?"),),
            f"Yes, one seat to {town} is free. Shall I book it for you?",
            f"How should I know? Look it up yourself, {town} is not my problem.",
            1.0,
            f"item{town}",
            (f"vote{town}",),
        )
        for town in towns
    ]


def test_a_few_steps_on_the_real_model_move_it_towards_the_votes(small_adapter):
    adapter, folder, _ = small_adapter
    logged = rows(folder)
    # The reference is the model itself, but for the rounding of other batches.
    assert abs(logged[0]["rewards/margins"]) < 0.1
    assert abs(logged[0]["loss"] - 0.6931) < 0.05
    assert logged[-1]["rewards/margins"] > 1
    assert logged[-1]["loss"] < 0.4
    assert adapter.metrics["rewards/accuracies"] == 1.0


def test_the_saved_adapter_is_the_trained_one(small_adapter, small_model):
    """What is loaded from disk prefers what the trained model preferred, by the margin that was logged."""
    adapter, _, pairs = small_adapter
    tokenizer = load_tokenizer(adapter.path)
    base = load_model(small_model.path)
    tuned = load_model(small_model.path, adapter=adapter.path)
    margins = []
    for pair in in_training_order(pairs)[:4]:
        tokens = tokenise(pair, tokenizer)
        by_side = [score(tuned, tokens, side) - score(base, tokens, side) for side in (tokens.chosen, tokens.rejected)]
        margins.append(adapter.settings.beta * (by_side[0] - by_side[1]))
    assert all(margin > 0.5 for margin in margins)
    assert abs(sum(margins) / 4 - adapter.metrics["rewards/margins"]) < 0.3 * adapter.metrics["rewards/margins"]


def test_the_real_tokenizer_passes_the_preflight(small_model, make_pairs):
    checked = preflight(make_pairs(12), TrainSettings(), load_tokenizer(small_model.path))
    assert (checked.kept, checked.problems) == (12, ())
    assert checked.example_context.endswith("<|im_start|>assistant\n")
    assert checked.example_chosen.endswith("<|im_end|>\n")
    assert not any(ids for ids in checked.findings.values())

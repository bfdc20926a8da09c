"""A full disk and a loss that is no number end a training with a sentence, and leave what can be gone on from."""

import json
import math
import resource
import signal

import pytest
from prefloop.errors import Interrupted, UserError
from prefloop.train import TrainSettings, train_dpo
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(
    learning_rate=1e-3, epochs=2, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8, save_every=2
)
FILE_LIMIT = 2**20
"""Bytes: the tokenizer in a checkpoint is larger."""


def after(share, act):
    """Act once when so much of the training is done."""
    done_already = []

    def progress(done, total):
        if done / total >= share and not done_already:
            done_already.append(done)
            act()

    return progress


@pytest.fixture
def limit_files():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same_weights(one, other):
    expected, found = (load_file(adapter.path / "adapter_model.safetensors") for adapter in (one, other))
    return expected.keys() == found.keys() and all(bool((expected[name] == found[name]).all()) for name in expected)


def test_a_full_disk_costs_no_whole_checkpoint_and_a_signal_no_step(
    tiny_model, make_pairs, tmp_path, limit_files, monkeypatch
):
    pairs, folder = make_pairs(12), tmp_path / "cut"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(UserError, match=r"cut is full: .*step 2 is kept: free some space and run the same command"):
        train_dpo(pairs, QUICK, base=tiny_model, folder=folder, progress=after(0.6, limit_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (folder / "adapter").exists()

    with pytest.raises(Interrupted, match=r"stopped after step (3|4|5) of 6 and kept it") as stopped:
        train_dpo(
            pairs,
            QUICK,
            base=tiny_model,
            folder=folder,
            progress=after(0.6, lambda: signal.raise_signal(signal.SIGTERM)),
        )
    assert stopped.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    resumed = train_dpo(pairs, QUICK, base=tiny_model, folder=folder)
    whole = train_dpo(pairs, QUICK, base=tiny_model, folder=tmp_path / "whole")
    assert same_weights(whole, resumed)
    assert [row["loss"] for row in rows(folder)] == [row["loss"] for row in rows(tmp_path / "whole")]


def test_a_loss_that_is_no_number_stops_at_once_and_names_the_pairs(tiny_model, make_pairs, tmp_path):
    pairs = make_pairs(12)
    wild = QUICK.model_copy(update={"learning_rate": 1e30, "warmup": 0.0, "max_grad_norm": 0.0, "save_every": 1})
    with pytest.raises(UserError, match=r"step (\d+) has (loss|grad_norm) (nan|inf)") as stopped:
        train_dpo(pairs, wild, base=tiny_model, folder=tmp_path)
    said = str(stopped.value)
    named = [pair.id for pair in pairs if pair.id in said]
    assert len(named) == 4
    assert "try a lower learning_rate than 1e+30" in said
    assert not (tmp_path / "adapter").exists()
    logged = rows(tmp_path)
    assert logged
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"]) for row in logged)
    [kept] = sorted((tmp_path / "checkpoints").glob("checkpoint-*"))[-1:]
    assert (kept / "prefloop.json").exists()

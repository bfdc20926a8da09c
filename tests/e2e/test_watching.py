"""What is seen of a training while it goes on, and that looking changes nothing; early stopping, to the bit."""

import json
import random

import pytest
import torch
from prefloop.collect import Message, PreferencePair
from prefloop.errors import UserError
from prefloop.models import load_model, load_tokenizer
from prefloop.train import TrainSettings, read_adapter, train_dpo
from prefloop.train.rows import tokenise
from prefloop.train.watching.callback import SPEED
from prefloop.train.watching.held_out import HeldOutSettings
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

WATCHED = HeldOutSettings(share=0.4, at_least=4, every=2)
QUICK = TrainSettings(learning_rate=5e-3, epochs=2, batch_size=4, max_length=128, lora_rank=4, held_out=WATCHED)


STOPPING = QUICK.model_copy(
    update={"epochs": 4, "save_every": 1, "held_out": WATCHED.model_copy(update={"every": 1, "patience": 1})}
)


class Killed(Exception):
    """Stands for a power cut."""


@pytest.fixture(scope="module")
def pairs():
    """Prompts with hardly a word in common, each with two pairs; the better answer is the polite one."""
    draw = random.Random(0)

    def words(count):
        return " ".join("".join(draw.choices("abcdefghij", k=5)) for _ in range(count))

    found = []
    for _ in range(10):
        prompt = (Message("user", words(8)),)
        for _ in range(2):
            chosen, rejected = f"Certainly and with pleasure {words(draw.randint(1, 5))}", f"No way {words(3)}"
            found.append(PreferencePair(prompt, chosen, rejected, 1.0, "i", ("v",)))
    return found


def trained(pairs, settings, base, folder, **more):
    return train_dpo(pairs, settings, base=base, folder=folder, **more)


def rows(folder):
    read = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in SPEED} for row in read]


def with_held_out(**changes):
    return QUICK.model_copy(update={"held_out": WATCHED.model_copy(update=changes)})


@pytest.fixture(scope="module")
def watched(pairs, tiny_model, tmp_path_factory):
    folder, seen = tmp_path_factory.mktemp("watched"), []
    return trained(pairs, QUICK, tiny_model, folder, on_metrics=seen.append), folder, seen


def test_held_out_pairs_are_recorded_and_never_trained_on(watched, pairs):
    adapter, folder, _ = watched
    data = json.loads((folder / "data.json").read_text())
    held = set(data["held_out"])
    assert len(held) == 8
    assert adapter.pairs == 12
    assert set(data["ids"]) == {pair.id for pair in pairs}
    inside = {pair.prompt_id for pair in pairs if pair.id in held}
    assert inside.isdisjoint(pair.prompt_id for pair in pairs if pair.id not in held)


def test_rows_say_how_the_held_out_pairs_fare_and_go_to_whoever_listens(watched):
    adapter, folder, seen = watched
    found = rows(folder)
    assert [row["step"] for row in found if "eval_rewards/accuracies" in row] == [2, 4, 6]
    assert [row["step"] for row in seen] == [1, 2, 3, 4, 5, 6]
    last = found[-1]
    assert (
        last["eval_rewards/accuracies_low"] <= last["eval_rewards/accuracies"] <= last["eval_rewards/accuracies_high"]
    )
    assert adapter.held_out["eval_rewards/margins"] == last["eval_rewards/margins"]
    assert "eval_rewards/margins" not in adapter.metrics
    assert read_adapter(adapter.path) == adapter
    for row in seen:
        assert {"pairs_per_second", "tokens_per_second", "memory_mb", "completions/mean_length"} <= set(row)
    # TRL's reward is beta times the log-ratio of an answer, so the two together tell how long the answers are.
    lengths = [last[f"rewards/{side}"] / 0.1 / last[f"log_ratio_per_token/{side}"] for side in ("chosen", "rejected")]
    assert sum(lengths) / 2 == pytest.approx(last["completions/mean_length"], rel=1e-3)


def test_the_numbers_are_those_of_the_saved_adapter(watched, pairs, tiny_model):
    """What was logged last is what base and adapter say when they are loaded from disk, one answer at a time."""
    adapter, folder, _ = watched
    held = set(json.loads((folder / "data.json").read_text())["held_out"])
    tokenizer = load_tokenizer(tiny_model.path)
    base = load_model(tiny_model.path, dtype=torch.float32)
    tuned = load_model(tiny_model.path, adapter=adapter.path, dtype=torch.float32)

    def score(model, tokens, side):
        ids = torch.tensor([tokens.prompt + side])[:, :128]
        with torch.no_grad():
            taken = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float(), -1)
        return float(taken.gather(-1, ids[0, 1:, None])[len(tokens.prompt) - 1 :].sum())

    ratios = [
        [score(tuned, tokens, side) - score(base, tokens, side) for side in (tokens.chosen, tokens.rejected)]
        for tokens in (tokenise(pair, tokenizer) for pair in pairs if pair.id in held)
    ]
    chosen, rejected = (sum(column) / len(ratios) for column in zip(*ratios, strict=True))
    assert chosen - rejected > 5, "the training moved next to nothing, so this would prove nothing"
    # The model is bfloat16 in training and float32 here.
    assert adapter.held_out["eval_chosen_drift"] == pytest.approx(chosen, rel=0.1, abs=0.7)
    assert adapter.held_out["eval_rewards/margins"] == pytest.approx(0.1 * (chosen - rejected), rel=0.1, abs=0.07)


def test_looking_more_often_changes_no_weight(watched, pairs, tiny_model, tmp_path):
    assert trained(pairs, with_held_out(every=1), tiny_model, tmp_path).sha256 == watched[0].sha256


@pytest.fixture(scope="module")
def stopped(pairs, tiny_model, tmp_path_factory):
    """A training that its held-out pairs end early, and the weights of its checkpoints by their step."""
    folder, checkpoints = tmp_path_factory.mktemp("stopped"), {}

    def keep(row):
        if (step := row["step"] - 1) > 0:
            checkpoints[step] = load_file(folder / "checkpoints" / f"checkpoint-{step}" / "adapter_model.safetensors")

    return trained(pairs, STOPPING, tiny_model, folder, on_metrics=keep), folder, checkpoints


def test_the_best_weights_are_the_result_and_the_record_says_so(stopped):
    adapter, folder, _ = stopped
    stopping, found = adapter.stopping, rows(folder)
    accuracies = {row["step"]: row["eval_rewards/accuracies"] for row in found}
    assert stopping.best_step == min(step for step, value in accuracies.items() if value == max(accuracies.values()))
    assert stopping.best_step + 1 == stopping.step == found[-1]["step"] < 12
    assert stopping.measurements == len(found)
    assert adapter.held_out["eval_rewards/accuracies"] == stopping.accuracy
    assert read_adapter(adapter.path) == adapter


def test_the_weights_are_those_of_the_best_step(stopped):
    adapter, _, checkpoints = stopped
    kept, found = checkpoints[adapter.stopping.best_step], load_file(adapter.path / "adapter_model.safetensors")
    assert kept.keys() == found.keys()
    assert all(torch.equal(kept[name], found[name]) for name in found)


def test_a_killed_training_stops_where_the_whole_one_does(stopped, pairs, tiny_model, tmp_path, monkeypatch):
    """Killed on its way, and once more when it had stopped but had not saved: then it trains no further."""
    from prefloop.train import dpo

    whole, folder, _ = stopped

    def cut(row):
        if row["step"] == whole.stopping.step - 1:
            raise Killed

    def cut_again(*_):
        raise Killed

    with pytest.raises(Killed):
        trained(pairs, STOPPING, tiny_model, tmp_path, on_metrics=cut)
    with monkeypatch.context() as patch:
        patch.setattr(dpo, "restore_weights", cut_again)
        with pytest.raises(Killed):
            trained(pairs, STOPPING, tiny_model, tmp_path)
    after = []
    resumed = trained(pairs, STOPPING, tiny_model, tmp_path, on_metrics=after.append)
    assert after == []
    assert (resumed.sha256, resumed.stopping, resumed.steps) == (whole.sha256, whole.stopping, whole.steps)
    assert rows(tmp_path) == rows(folder)
    assert (tmp_path / "alarms.json").read_text() == (folder / "alarms.json").read_text()


def test_too_few_pairs_to_stop_by_is_said_before_anything_is_trained(pairs, tiny_model, tmp_path):
    chosen = with_held_out(at_least=50, patience=1)
    with pytest.raises(UserError, match="raise share or lower at_least"):
        trained(pairs, chosen, tiny_model, tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists()

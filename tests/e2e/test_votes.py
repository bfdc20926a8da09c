"""Votes in the loss with the real TRL: its own numbers where votes say nothing, the formulas where they do."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from prefloop.collect import write_rows
from prefloop.errors import UserError
from prefloop.models import load_tokenizer
from prefloop.train import TrainSettings, read_adapter, train_dpo
from prefloop.train.speed.reference import cache_reference
from prefloop.train.trainer import build_trainer
from prefloop.train.votes.objective import vote_trainer
from prefloop.train.votes.reading import TARGET, TIED, WEIGHT
from torch.nn.functional import logsigmoid

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = {"learning_rate": 1e-3, "epochs": 2, "batch_size": 4, "max_length": 256, "lora_rank": 4, "lora_alpha": 8}


def asking(votes=None, **more):
    return TrainSettings.model_validate(QUICK | {"votes": votes or {}} | more)


@pytest.fixture
def voted(make_pairs):
    """Ten pairs, some of them contested, and two ties."""
    shares = (1.0, 1.0, 2 / 3, 1.0, 2 / 3, 1.0, 1.0, 0.6, 1.0, 2 / 3, 0.5, 0.5)
    ids = ("v1", "v2", "v3")
    made = [
        replace(pair, weight=share, preferred=share, vote_ids=ids)
        for pair, share in zip(make_pairs(12), shares, strict=True)
    ]
    return [*made[:10], *(replace(pair, kind="tie", weight=1.0) for pair in made[10:])]


def trainer_of(pairs, settings, base, folder, *, reference=True):
    trainer = build_trainer(
        pairs, settings, base=base, tokenizer=load_tokenizer(base.path), checkpoints=folder, longest=100
    )
    if reference:
        cache_reference(trainer, 4, lambda done, total: None)
    with torch.no_grad():  # away from the reference, where every loss is the same
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.linspace(-0.03, 0.03, parameter.numel()).reshape(parameter.shape))
    return trainer


def first_batch(trainer):
    return next(iter(trainer.get_train_dataloader()))


def graded(trainer, batch):
    trainer.model.train()
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("more", "cached"),
    [
        ({}, False),
        ({"loss_type": ["sigmoid_norm"], "beta": 5, "loss_weights": [0.5]}, True),
        ({"loss_type": ["sft", "sigmoid"], "loss_weights": [0.3, 1.0]}, True),
    ],
)
def test_where_votes_say_nothing_the_loss_is_trls_to_the_bit(tiny_model, make_pairs, tmp_path, more, cached):
    """Contract with TRL 1.16: certain targets and equal weights, so that only the code differs."""
    certain = make_pairs(4)
    theirs = trainer_of(certain, asking(**more), tiny_model, tmp_path)
    ours = trainer_of(certain, asking({"weights": True}, **more), tiny_model, tmp_path)
    theirs.precompute_ref_logps = ours.precompute_ref_logps = cached
    expected, their_grads = graded(theirs, first_batch(theirs))
    batch = first_batch(ours)
    assert batch[WEIGHT].tolist() == batch[TARGET].tolist() == [1.0] * 4
    found, grads = graded(ours, batch)
    assert torch.equal(found, expected)
    assert abs(float(found) - math.log(2) * sum(ours.loss_weights)) > 0.01
    assert all(torch.equal(grads[name], grad) for name, grad in their_grads.items())
    assert any(bool(grad.any()) for grad in grads.values())
    assert dict(ours._metrics["train"]) == dict(theirs._metrics["train"])


@pytest.mark.parametrize("ties", ["drop", "davidson", "rao_kupper"])
def test_weights_targets_and_ties_enter_as_the_formula_says(tiny_model, voted, tmp_path, ties):
    asked = asking({"weights": True, "targets": "soft", "prior": 1.0, "ties": ties}, batch_size=12)
    rows = voted if ties != "drop" else voted[:10]
    trainer = trainer_of(rows, asked, tiny_model, tmp_path)
    batch = first_batch(trainer)
    assert float(batch[WEIGHT].mean()) == pytest.approx(1.0)
    assert sorted({round(value, 4) for value in batch[TARGET].tolist()}) == sorted(
        {round((1 + 3 * pair.preferred) / 5, 4) for pair in rows}
    )
    loss, _ = graded(trainer, batch)
    with torch.no_grad():
        plain = {name: value for name, value in batch.items() if name not in (WEIGHT, TARGET, TIED)}
        policy = trainer.model(
            input_ids=plain["input_ids"],
            attention_mask=plain["attention_mask"],
            labels=plain["input_ids"].masked_fill(plain["completion_mask"] == 0, -100),
            fused_lm_head=True,
            use_cache=False,
        ).log_probs.sum(1)
    ratios = policy - torch.cat([plain["ref_chosen_logps"], plain["ref_rejected_logps"]])
    d = 0.1 * (ratios[: len(rows)] - ratios[len(rows) :])
    if ties == "drop":
        win, even, lose = logsigmoid(d), d * 0, logsigmoid(-d)
    elif ties == "davidson":
        total = 1 + torch.exp(-d) + 2 * torch.exp(-d / 2)  # nu = 1
        win, even, lose = -total.log(), (2 * torch.exp(-d / 2) / total).log(), (torch.exp(-d) / total).log()
    else:
        win, lose = (1 / (1 + 3 * torch.exp(-d))).log(), (1 / (1 + 3 * torch.exp(d))).log()  # nu = 3
        even = win + lose + math.log(8)
    clear = batch[TARGET] * win + (1 - batch[TARGET]) * lose
    expected = -(batch[WEIGHT] * torch.where(batch[TIED], even, clear)).mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_weights_have_a_mean_of_one_over_the_data_not_over_a_batch(tiny_model, voted, tmp_path):
    trainer = trainer_of(voted, asking({"weights": True}, micro_batch_size=2), tiny_model, tmp_path, reference=False)
    weights = [batch[WEIGHT] for batch in trainer.get_train_dataloader()]
    assert float(torch.cat(weights).mean()) == pytest.approx(1.0)
    assert any(abs(float(batch.mean()) - 1) > 0.05 for batch in weights)


def test_smoothed_targets_are_the_loss_that_trl_once_had(tiny_model, make_pairs, tmp_path):
    """TRL 1.16 left cDPO in its aot loss only, which is cDPO where there is but one pair to sort."""
    pairs = make_pairs(4)
    aot = trainer_of(pairs, asking(loss_type=["aot"], label_smoothing=0.2), tiny_model, tmp_path)
    ours = trainer_of(pairs, asking({"targets": "smoothed"}, label_smoothing=0.2), tiny_model, tmp_path)
    one = aot.data_collator([aot.train_dataset[0]])
    expected, their_grads = graded(aot, one)
    read = {WEIGHT: torch.ones(1), TARGET: first_batch(ours)[TARGET][:1], TIED: torch.tensor([False])}
    found, grads = graded(ours, one | read)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)
    for name, grad in their_grads.items():
        torch.testing.assert_close(grads[name], grad, rtol=1e-4, atol=1e-5 * float(grad.abs().max()))


def test_ties_are_no_pairs_in_what_is_logged(tiny_model, voted, tmp_path):
    asked = asking({"ties": "rao_kupper"}, batch_size=12)
    trainer = trainer_of(voted, asked, tiny_model, tmp_path)
    batch = first_batch(trainer)
    graded(trainer, batch)
    logged = trainer._metrics["train"]
    plain = trainer_of(voted[:10], asking(batch_size=10), tiny_model, tmp_path)
    graded(plain, first_batch(plain))
    for name in ("rewards/accuracies", "rewards/margins"):
        assert len(logged[name]) == 1
        assert logged[name][0] == pytest.approx(plain._metrics["train"][name][0], abs=0.02)
    assert logged["rewards/tie_margins"][0] > 0
    # A batch of ties alone has no accuracy, and TRL must not stumble over that.
    trainer.log({})
    tied = batch[TIED]
    graded(trainer, {name: rows[tied if len(rows) == 12 else tied.repeat(2)] for name, rows in batch.items()})
    assert "rewards/accuracies" not in trainer._metrics["train"]
    trainer.log({})


def test_what_is_computed_beside_the_training_is_trls(tiny_model, voted, tmp_path):
    """The reference pass, the check of the first step and held-out pairs see neither weights nor ties."""
    asked = asking({"weights": True, "targets": "soft", "ties": "davidson"})
    trainer = trainer_of(voted, asked, tiny_model, tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    assert not {WEIGHT, TARGET, TIED} & batch.keys()
    plain = trainer_of(voted, asking(), tiny_model, tmp_path)
    assert torch.equal(trainer.compute_loss(trainer.model, batch), plain.compute_loss(plain.model, batch))
    assert type(plain).__name__ == "DPOTrainer"
    assert not {WEIGHT, TARGET, TIED} & set(plain.train_dataset.column_names)


class Killed(Exception):
    pass


def test_a_training_with_votes_resumes_to_the_same_weights(tiny_model, voted, tmp_path):
    asked = asking({"weights": True, "targets": "soft", "prior": 0.5, "ties": "davidson"}, save_every=2, warmup=0.0)
    whole = train_dpo(voted, asked, base=tiny_model, folder=tmp_path / "whole")

    def stop_after_step_3(done, total):
        if done > total * (1 + 3 * 2 * 3.5 / 6) / 7:
            raise Killed

    with pytest.raises(Killed):
        train_dpo(voted, asked, base=tiny_model, folder=tmp_path / "cut", progress=stop_after_step_3)
    resumed = train_dpo(voted, asked, base=tiny_model, folder=tmp_path / "cut")
    assert resumed.sha256 == whole.sha256
    assert read_adapter(whole.path).settings.votes == asked.votes
    data = json.loads((tmp_path / "whole/data.json").read_text())
    assert data["kinds"] == {"tie": 2, "vote": 10}
    assert data["sha256"] == whole.data_sha256
    with pytest.raises(UserError, match="2 rows are ties"):
        train_dpo(voted, asking(), base=tiny_model, folder=tmp_path / "plain")


def test_ties_are_trained_back_towards_the_reference(tiny_model, voted, tmp_path):
    tied = [replace(pair, kind="tie", weight=1.0) for pair in voted[:4]]
    trainer = trainer_of(tied, asking({"ties": "davidson"}, beta=1.0), tiny_model, tmp_path)
    batch, logged = first_batch(trainer), trainer._metrics["train"]
    optimiser = torch.optim.AdamW([p for p in trainer.model.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(12):
        graded(trainer, batch)
        optimiser.step()
    margins = logged["rewards/tie_margins"]
    assert margins[-1] < margins[0] / 2


def test_a_trainer_for_votes_is_trls_own_but_for_the_loss():
    made = vote_trainer(asking({"weights": True}).votes)
    own = {name for name, value in vars(made).items() if callable(value) and not name.startswith("__")}
    assert own == {"get_train_dataloader", "_set_signature_columns_if_needed", "_compute_loss"}


def test_two_processes_train_as_one(tiny_model, voted, tmp_path):
    """Each of two processes reads its own half of a batch: ties in one of them only, weights over all of the data."""
    asked = asking({"weights": True, "targets": "soft", "ties": "rao_kupper"}, warmup=0.0)
    whole = train_dpo(voted, asked, base=tiny_model, folder=tmp_path / "one")
    write_rows(tmp_path / "pairs.jsonl", voted)
    script = tmp_path / "train.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from prefloop.collect import read_pairs\n"
        "from prefloop.models import resolve_model\n"
        "from prefloop.train import TrainSettings, train_dpo\n"
        "settings, base, folder = sys.argv[1:]\n"
        "train_dpo(read_pairs(Path(folder, 'pairs.jsonl')), TrainSettings.model_validate_json(settings),"
        " base=resolve_model(base), folder=Path(folder, 'two'))\n"
    )
    torchrun = Path(sys.executable).with_name("torchrun")
    subprocess.run(
        [torchrun, "--nproc-per-node", "2", script, asked.model_dump_json(), tiny_model.path, tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    both = read_adapter(tmp_path / "two/adapter")
    assert both.data_sha256 == whole.data_sha256
    for name in ("loss", "rewards/margins", "rewards/tie_margins", "rewards/accuracies"):
        assert both.metrics[name] == pytest.approx(whole.metrics[name], abs=0.05), name

"""Reference log-probabilities that outlive a training: what they are good for, and what must never be mixed up."""

import sqlite3
from dataclasses import replace

import pytest
from prefloop.models import load_tokenizer
from prefloop.runs import silent
from prefloop.train import TrainSettings, train_dpo
from prefloop.train.speed.reference import cache_reference, reference_weights
from prefloop.train.trainer import build_trainer

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

QUICK = TrainSettings(learning_rate=1e-3, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8)


@pytest.fixture
def reference(tiny_model, tmp_path):
    """Build a trainer, look its reference up, and say what was found; also what every row got."""

    def look_up(pairs, *, base=tiny_model, **changed):
        settings = QUICK.model_copy(update=changed)
        tokenizer = load_tokenizer(base.path)
        trainer = build_trainer(
            pairs, settings, base=base, tokenizer=tokenizer, checkpoints=tmp_path / "checkpoints", longest=100
        )
        counts = cache_reference(trainer, 4, silent, weights=reference_weights(base, settings, None))
        rows = trainer.train_dataset
        return counts, dict(
            zip(rows["pair_id"], zip(rows["ref_chosen_logps"], rows["ref_rejected_logps"], strict=True), strict=True)
        )

    return look_up


def test_what_does_not_matter_costs_nothing(reference, make_pairs):
    counts, first = reference(make_pairs(8))
    assert counts == {"found": 0, "computed": 8}
    counts, again = reference(make_pairs(8)[::-1], learning_rate=5e-6, beta=0.5, seed=7, lora_rank=8, batch_size=2)
    assert (counts, again) == ({"found": 8, "computed": 0}, first)


def test_new_pairs_cost_themselves_and_say_what_they_would_have_said_alone(reference, make_pairs):
    _, first = reference(make_pairs(6))
    counts, more = reference(make_pairs(9))
    assert counts == {"found": 6, "computed": 3}
    assert {name: more[name] for name in first} == first


def test_a_pair_that_occurs_twice_is_computed_once(reference, make_pairs):
    counts, found = reference([*make_pairs(3), *make_pairs(3)])
    assert counts == {"found": 0, "computed": 3}
    assert reference(make_pairs(3)) == ({"found": 3, "computed": 0}, found)


def test_the_values_depend_on_the_row_alone(reference, make_pairs, own_reference_store):
    _, together = reference(make_pairs(6))
    (own_reference_store / "reference.sqlite").unlink()
    for pair in make_pairs(6):
        _, alone = reference([pair])
        assert alone[pair.id] == together[pair.id]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ld_alpha": None}, {"ld_alpha": 0.2}),  # TRL's own cache: a loss of 4.19 instead of 0.69 at step 0
        ({"max_length": 256}, {"max_length": 60}),  # and of 2.09
    ],
)
def test_what_changes_the_reference_is_computed_anew(reference, make_pairs, before, after):
    _, first = reference(make_pairs(4), **before)
    counts, second = reference(make_pairs(4), **after)
    assert counts == {"found": 0, "computed": 4}
    assert all(first[name] != second[name] for name in first)
    assert reference(make_pairs(4), **before) == ({"found": 4, "computed": 0}, first)


def test_other_weights_have_values_of_their_own(reference, make_pairs, tiny_model):
    reference(make_pairs(4))
    counts, _ = reference(make_pairs(4), base=replace(tiny_model, sha256="0" * 64))
    assert counts == {"found": 0, "computed": 4}


def test_entries_that_this_machine_would_not_compute_are_thrown_away(
    reference, make_pairs, own_reference_store, caplog
):
    _, right = reference(make_pairs(4))
    with sqlite3.connect(own_reference_store / "reference.sqlite") as database:
        database.execute("UPDATE rows SET chosen = chosen + 50")
    database.close()
    counts, found = reference(make_pairs(4))
    assert (counts, found) == ({"found": 0, "computed": 4}, right)
    assert "not what this machine computes" in caplog.text
    assert reference(make_pairs(4)) == ({"found": 4, "computed": 0}, right)


def test_a_broken_store_is_a_warning_and_stays_as_it_is(reference, make_pairs, own_reference_store, caplog):
    broken = own_reference_store / "reference.sqlite"
    broken.write_bytes(b"this is no database, " * 100)
    counts, _ = reference(make_pairs(3))
    assert counts == {"found": 0, "computed": 3}
    assert "delete it if it is broken" in caplog.text
    assert broken.read_bytes().startswith(b"this is no database")


def test_a_training_with_a_warm_store_gives_the_same_weights(tiny_model, make_pairs, tmp_path, caplog):
    cold = train_dpo(make_pairs(8), QUICK, base=tiny_model, folder=tmp_path / "cold")
    with caplog.at_level("INFO", "prefloop.train"):
        warm = train_dpo(make_pairs(8), QUICK, base=tiny_model, folder=tmp_path / "warm")
    assert "8 pairs from the store, 0 computed" in caplog.text
    assert warm.sha256 == cold.sha256
